-- Several named configurations: what each says of storage, database, files, keys and quota, NULL where the environment
-- says it; and every count of backups by configuration.
CREATE TABLE new_backup_configs (
    key TEXT NOT NULL PRIMARY KEY,
    storage_url TEXT,
    storage_connection_string TEXT,
    container_name TEXT,
    database_host TEXT,
    database_port INTEGER CHECK (database_port BETWEEN 1 AND 65535),
    database_name TEXT,
    database_user TEXT,
    database_password TEXT,
    upload_dir TEXT,
    compression_enabled INTEGER NOT NULL,
    compression_algorithm TEXT CHECK (compression_algorithm IN ('gzip', 'zstd', 'none')),
    encryption_enabled INTEGER NOT NULL,
    encryption_key TEXT,
    previous_encryption_keys TEXT NOT NULL,
    notify_on_success INTEGER NOT NULL,
    notify_on_failure INTEGER NOT NULL,
    notification_emails TEXT NOT NULL,
    quota_gigabytes INTEGER CHECK (quota_gigabytes >= 0),
    quota_policy TEXT NOT NULL CHECK (quota_policy IN ('WARN', 'REFUSE')),
    updated_at TEXT NOT NULL
) STRICT;
INSERT INTO new_backup_configs (key, database_port, previous_encryption_keys, quota_policy, storage_connection_string, container_name, database_host, database_name, compression_enabled, compression_algorithm, encryption_enabled, encryption_key, notify_on_success, notify_on_failure, notification_emails, quota_gigabytes, updated_at)
SELECT key, NULLIF(database_port, 0), '[]', 'WARN', storage_connection_string, container_name, database_host, database_name, compression_enabled, compression_algorithm, encryption_enabled, encryption_key, notify_on_success, notify_on_failure, notification_emails, quota_gigabytes, updated_at FROM backup_configs;
DROP TABLE backup_configs;
ALTER TABLE new_backup_configs RENAME TO backup_configs;

-- As before, and by configuration.
DROP TRIGGER backup_totals_on_insert;
DROP TRIGGER backup_totals_on_delete;
DROP TRIGGER backup_totals_on_update;
DROP TABLE backup_totals;
CREATE TABLE backup_totals (
    config_key TEXT NOT NULL,
    day TEXT NOT NULL,
    status TEXT NOT NULL,
    backup_type TEXT NOT NULL,
    source TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    backups INTEGER NOT NULL CHECK (backups >= 0),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (config_key, day, status, backup_type, source, "trigger")
) STRICT;
INSERT INTO backup_totals (config_key, day, status, backup_type, source, "trigger", backups, size_bytes)
SELECT config_key, substr(created_at, 1, 10), status, backup_type, source, "trigger", COUNT(*), COALESCE(SUM(size_bytes), 0)
    FROM backups WHERE NOT deleting GROUP BY config_key, substr(created_at, 1, 10), status, backup_type, source, "trigger";
CREATE TRIGGER backup_totals_on_insert AFTER INSERT ON backups BEGIN
    INSERT INTO backup_totals (config_key, day, status, backup_type, source, "trigger", backups, size_bytes)
    SELECT NEW.config_key, substr(NEW.created_at, 1, 10), NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0)
        WHERE NOT NEW.deleting
    ON CONFLICT (config_key, day, status, backup_type, source, "trigger") DO UPDATE
        SET backups = backup_totals.backups + 1, size_bytes = backup_totals.size_bytes + excluded.size_bytes;
END;
CREATE TRIGGER backup_totals_on_delete AFTER DELETE ON backups BEGIN
    UPDATE backup_totals SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
        WHERE NOT OLD.deleting AND config_key = OLD.config_key AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    DELETE FROM backup_totals WHERE backups = 0 AND config_key = OLD.config_key AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
END;
CREATE TRIGGER backup_totals_on_update AFTER UPDATE ON backups
    WHEN (OLD.config_key, OLD.created_at, OLD.status, OLD.backup_type, OLD.source, OLD."trigger", OLD.size_bytes, OLD.deleting)
        IS NOT
        (NEW.config_key, NEW.created_at, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", NEW.size_bytes, NEW.deleting)
BEGIN
    UPDATE backup_totals SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
        WHERE NOT OLD.deleting AND config_key = OLD.config_key AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    DELETE FROM backup_totals WHERE backups = 0 AND config_key = OLD.config_key AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    INSERT INTO backup_totals (config_key, day, status, backup_type, source, "trigger", backups, size_bytes)
    SELECT NEW.config_key, substr(NEW.created_at, 1, 10), NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0)
        WHERE NOT NEW.deleting
    ON CONFLICT (config_key, day, status, backup_type, source, "trigger") DO UPDATE
        SET backups = backup_totals.backups + 1, size_bytes = backup_totals.size_bytes + excluded.size_bytes;
END;

-- The lists' covering indexes hold the new filter too.
DROP INDEX backups_list;
CREATE INDEX backups_list ON backups (created_at, id, deleting, status, backup_type, source, "trigger", config_key);
DROP INDEX backups_by_completed;
CREATE INDEX backups_by_completed ON backups (completed_at, id, deleting, status, backup_type, source, "trigger", config_key);
DROP INDEX backups_by_size;
CREATE INDEX backups_by_size ON backups (size_bytes, id, deleting, status, backup_type, source, "trigger", config_key);

-- What a machine that watches asks for again and again.
CREATE INDEX backups_by_verified ON backups (verified_at) WHERE verified_at IS NOT NULL;
CREATE INDEX backups_verify_failed ON backups (id) WHERE verify_error IS NOT NULL;
