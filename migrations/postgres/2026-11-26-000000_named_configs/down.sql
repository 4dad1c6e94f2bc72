DROP INDEX backups_verify_failed;
DROP INDEX backups_by_verified;
DROP INDEX backups_list;
CREATE INDEX backups_list ON backups (created_at, id, deleting, status, backup_type, source, "trigger");
DROP INDEX backups_by_completed_asc;
CREATE INDEX backups_by_completed_asc ON backups (completed_at ASC NULLS LAST, id)
    INCLUDE (deleting, status, backup_type, source, "trigger");
DROP INDEX backups_by_completed_desc;
CREATE INDEX backups_by_completed_desc ON backups (completed_at DESC NULLS LAST, id DESC)
    INCLUDE (deleting, status, backup_type, source, "trigger");
DROP INDEX backups_by_size_asc;
CREATE INDEX backups_by_size_asc ON backups (size_bytes ASC NULLS LAST, id)
    INCLUDE (deleting, status, backup_type, source, "trigger");
DROP INDEX backups_by_size_desc;
CREATE INDEX backups_by_size_desc ON backups (size_bytes DESC NULLS LAST, id DESC)
    INCLUDE (deleting, status, backup_type, source, "trigger");
DROP TRIGGER backup_totals_on_insert_or_delete ON backups;
DROP TRIGGER backup_totals_on_update ON backups;
DROP FUNCTION backup_totals_keep();
DROP TABLE backup_totals;
CREATE TABLE backup_totals (
    day TEXT NOT NULL,
    status TEXT NOT NULL,
    backup_type TEXT NOT NULL,
    source TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    backups BIGINT NOT NULL CHECK (backups >= 0),
    size_bytes BIGINT NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (day, status, backup_type, source, "trigger")
);
INSERT INTO backup_totals (day, status, backup_type, source, "trigger", backups, size_bytes)
SELECT to_char(created_at, 'YYYY-MM-DD'), status, backup_type, source, "trigger", COUNT(*), COALESCE(SUM(size_bytes), 0)
    FROM backups WHERE NOT deleting GROUP BY 1, 2, 3, 4, 5;
CREATE FUNCTION backup_totals_keep() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE backup_totals SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
            WHERE NOT OLD.deleting AND day = to_char(OLD.created_at, 'YYYY-MM-DD') AND status = OLD.status
                AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
        DELETE FROM backup_totals WHERE backups = 0 AND day = to_char(OLD.created_at, 'YYYY-MM-DD') AND status = OLD.status
                AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO backup_totals (day, status, backup_type, source, "trigger", backups, size_bytes)
        SELECT to_char(NEW.created_at, 'YYYY-MM-DD'), NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0)
            WHERE NOT NEW.deleting
        ON CONFLICT (day, status, backup_type, source, "trigger") DO UPDATE
            SET backups = backup_totals.backups + 1, size_bytes = backup_totals.size_bytes + excluded.size_bytes;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER backup_totals_on_insert_or_delete AFTER INSERT OR DELETE ON backups
    FOR EACH ROW EXECUTE FUNCTION backup_totals_keep();
CREATE TRIGGER backup_totals_on_update AFTER UPDATE ON backups FOR EACH ROW
    WHEN ((OLD.created_at, OLD.status, OLD.backup_type, OLD.source, OLD."trigger", OLD.size_bytes, OLD.deleting)
        IS DISTINCT FROM
        (NEW.created_at, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", NEW.size_bytes, NEW.deleting))
    EXECUTE FUNCTION backup_totals_keep();
UPDATE backup_configs SET container_name = COALESCE(container_name, 'backups'), database_port = COALESCE(database_port, 5432);
ALTER TABLE backup_configs
    DROP COLUMN storage_url,
    ALTER COLUMN container_name SET NOT NULL,
    ALTER COLUMN database_port SET NOT NULL,
    DROP COLUMN database_user,
    DROP COLUMN database_password,
    DROP COLUMN upload_dir,
    DROP COLUMN previous_encryption_keys,
    DROP COLUMN quota_policy;
