DROP INDEX backups_verify_failed;
DROP INDEX backups_by_verified;
DROP INDEX backups_list;
CREATE INDEX backups_list ON backups (created_at, id, deleting, status, backup_type, source, "trigger");
DROP INDEX backups_by_completed;
CREATE INDEX backups_by_completed ON backups (completed_at, id, deleting, status, backup_type, source, "trigger");
DROP INDEX backups_by_size;
CREATE INDEX backups_by_size ON backups (size_bytes, id, deleting, status, backup_type, source, "trigger");
DROP TRIGGER backup_totals_on_insert;
DROP TRIGGER backup_totals_on_delete;
DROP TRIGGER backup_totals_on_update;
DROP TABLE backup_totals;
CREATE TABLE backup_totals (
    day TEXT NOT NULL,
    status TEXT NOT NULL,
    backup_type TEXT NOT NULL,
    source TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    backups INTEGER NOT NULL CHECK (backups >= 0),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (day, status, backup_type, source, "trigger")
) STRICT;
INSERT INTO backup_totals (day, status, backup_type, source, "trigger", backups, size_bytes)
SELECT substr(created_at, 1, 10), status, backup_type, source, "trigger", COUNT(*), COALESCE(SUM(size_bytes), 0)
    FROM backups WHERE NOT deleting GROUP BY substr(created_at, 1, 10), status, backup_type, source, "trigger";
CREATE TRIGGER backup_totals_on_insert AFTER INSERT ON backups BEGIN
    INSERT INTO backup_totals (day, status, backup_type, source, "trigger", backups, size_bytes)
    SELECT substr(NEW.created_at, 1, 10), NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0)
        WHERE NOT NEW.deleting
    ON CONFLICT (day, status, backup_type, source, "trigger") DO UPDATE
        SET backups = backup_totals.backups + 1, size_bytes = backup_totals.size_bytes + excluded.size_bytes;
END;
CREATE TRIGGER backup_totals_on_delete AFTER DELETE ON backups BEGIN
    UPDATE backup_totals SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
        WHERE NOT OLD.deleting AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    DELETE FROM backup_totals WHERE backups = 0 AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
END;
CREATE TRIGGER backup_totals_on_update AFTER UPDATE ON backups
    WHEN (OLD.created_at, OLD.status, OLD.backup_type, OLD.source, OLD."trigger", OLD.size_bytes, OLD.deleting)
        IS NOT
        (NEW.created_at, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", NEW.size_bytes, NEW.deleting)
BEGIN
    UPDATE backup_totals SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
        WHERE NOT OLD.deleting AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    DELETE FROM backup_totals WHERE backups = 0 AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    INSERT INTO backup_totals (day, status, backup_type, source, "trigger", backups, size_bytes)
    SELECT substr(NEW.created_at, 1, 10), NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0)
        WHERE NOT NEW.deleting
    ON CONFLICT (day, status, backup_type, source, "trigger") DO UPDATE
        SET backups = backup_totals.backups + 1, size_bytes = backup_totals.size_bytes + excluded.size_bytes;
END;
CREATE TABLE old_backup_configs (
    key TEXT NOT NULL PRIMARY KEY,
    storage_connection_string TEXT,
    container_name TEXT NOT NULL,
    database_host TEXT,
    database_port INTEGER NOT NULL CHECK (database_port BETWEEN 0 AND 65535),
    database_name TEXT,
    compression_enabled INTEGER NOT NULL,
    compression_algorithm TEXT CHECK (compression_algorithm IN ('gzip', 'zstd', 'none')),
    encryption_enabled INTEGER NOT NULL,
    encryption_key TEXT,
    notify_on_success INTEGER NOT NULL,
    notify_on_failure INTEGER NOT NULL,
    notification_emails TEXT NOT NULL,
    quota_gigabytes INTEGER CHECK (quota_gigabytes >= 0),
    updated_at TEXT NOT NULL
) STRICT;
INSERT INTO old_backup_configs (key, database_port, storage_connection_string, container_name, database_host, database_name, compression_enabled, compression_algorithm, encryption_enabled, encryption_key, notify_on_success, notify_on_failure, notification_emails, quota_gigabytes, updated_at)
SELECT key, COALESCE(database_port, 5432), storage_connection_string, COALESCE(container_name, 'backups'), database_host, database_name, compression_enabled, compression_algorithm, encryption_enabled, encryption_key, notify_on_success, notify_on_failure, notification_emails, quota_gigabytes, updated_at FROM backup_configs;
DROP TABLE backup_configs;
ALTER TABLE old_backup_configs RENAME TO backup_configs;
