-- Several named configurations: what each says of storage, database, files, keys and quota, NULL where the environment
-- says it; and every count of backups by configuration.
ALTER TABLE backup_configs
    ADD COLUMN storage_url TEXT,
    ALTER COLUMN container_name DROP NOT NULL,
    ALTER COLUMN database_port DROP NOT NULL,
    ADD COLUMN database_user TEXT,
    ADD COLUMN database_password TEXT,
    ADD COLUMN upload_dir TEXT,
    ADD COLUMN previous_encryption_keys TEXT NOT NULL DEFAULT '[]',
    ADD COLUMN quota_policy TEXT NOT NULL DEFAULT 'WARN' CHECK (quota_policy IN ('WARN', 'REFUSE'));
ALTER TABLE backup_configs ALTER COLUMN previous_encryption_keys DROP DEFAULT, ALTER COLUMN quota_policy DROP DEFAULT;

-- As before, and by configuration.
DROP TRIGGER backup_totals_on_insert_or_delete ON backups;
DROP TRIGGER backup_totals_on_update ON backups;
DROP FUNCTION backup_totals_keep();
DROP TABLE backup_totals;
CREATE TABLE backup_totals (
    config_key TEXT NOT NULL,
    day TEXT NOT NULL,
    status TEXT NOT NULL,
    backup_type TEXT NOT NULL,
    source TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    backups BIGINT NOT NULL CHECK (backups >= 0),
    size_bytes BIGINT NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (config_key, day, status, backup_type, source, "trigger")
);
INSERT INTO backup_totals (config_key, day, status, backup_type, source, "trigger", backups, size_bytes)
SELECT config_key, to_char(created_at, 'YYYY-MM-DD'), status, backup_type, source, "trigger", COUNT(*), COALESCE(SUM(size_bytes), 0)
    FROM backups WHERE NOT deleting GROUP BY 1, 2, 3, 4, 5, 6;
CREATE FUNCTION backup_totals_keep() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE backup_totals SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
            WHERE NOT OLD.deleting AND config_key = OLD.config_key AND day = to_char(OLD.created_at, 'YYYY-MM-DD') AND status = OLD.status
                AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
        DELETE FROM backup_totals WHERE backups = 0 AND config_key = OLD.config_key AND day = to_char(OLD.created_at, 'YYYY-MM-DD') AND status = OLD.status
                AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO backup_totals (config_key, day, status, backup_type, source, "trigger", backups, size_bytes)
        SELECT NEW.config_key, to_char(NEW.created_at, 'YYYY-MM-DD'), NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0)
            WHERE NOT NEW.deleting
        ON CONFLICT (config_key, day, status, backup_type, source, "trigger") DO UPDATE
            SET backups = backup_totals.backups + 1, size_bytes = backup_totals.size_bytes + excluded.size_bytes;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER backup_totals_on_insert_or_delete AFTER INSERT OR DELETE ON backups
    FOR EACH ROW EXECUTE FUNCTION backup_totals_keep();
CREATE TRIGGER backup_totals_on_update AFTER UPDATE ON backups FOR EACH ROW
    WHEN ((OLD.config_key, OLD.created_at, OLD.status, OLD.backup_type, OLD.source, OLD."trigger", OLD.size_bytes, OLD.deleting)
        IS DISTINCT FROM
        (NEW.config_key, NEW.created_at, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", NEW.size_bytes, NEW.deleting))
    EXECUTE FUNCTION backup_totals_keep();

-- The lists' covering indexes hold the new filter too.
DROP INDEX backups_list;
CREATE INDEX backups_list ON backups (created_at, id, deleting, status, backup_type, source, "trigger", config_key);
DROP INDEX backups_by_completed_asc;
CREATE INDEX backups_by_completed_asc ON backups (completed_at ASC NULLS LAST, id)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key);
DROP INDEX backups_by_completed_desc;
CREATE INDEX backups_by_completed_desc ON backups (completed_at DESC NULLS LAST, id DESC)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key);
DROP INDEX backups_by_size_asc;
CREATE INDEX backups_by_size_asc ON backups (size_bytes ASC NULLS LAST, id)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key);
DROP INDEX backups_by_size_desc;
CREATE INDEX backups_by_size_desc ON backups (size_bytes DESC NULLS LAST, id DESC)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key);

-- What a machine that watches asks for again and again.
CREATE INDEX backups_by_verified ON backups (verified_at) WHERE verified_at IS NOT NULL;
CREATE INDEX backups_verify_failed ON backups (id) WHERE verify_error IS NOT NULL;
