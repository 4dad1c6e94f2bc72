-- Every list within milliseconds, whatever is filtered and whatever it is ordered by.
-- The index of each order holds every filter: a page is found in it by passing over what is filtered out. That of the
-- dates holds what else there is to order by: what lies between two dates is ordered without touching the rows.
DROP INDEX backups_list;
CREATE INDEX backups_list ON backups (created_at, id)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key, completed_at, size_bytes);
DROP INDEX backups_by_completed_asc;
CREATE INDEX backups_by_completed_asc ON backups (completed_at ASC NULLS LAST, id)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key, created_at);
DROP INDEX backups_by_completed_desc;
CREATE INDEX backups_by_completed_desc ON backups (completed_at DESC NULLS LAST, id DESC)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key, created_at);
DROP INDEX backups_by_size_asc;
CREATE INDEX backups_by_size_asc ON backups (size_bytes ASC NULLS LAST, id)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key, created_at);
DROP INDEX backups_by_size_desc;
CREATE INDEX backups_by_size_desc ON backups (size_bytes DESC NULLS LAST, id DESC)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key, created_at);
DROP INDEX backups_by_schedule;
CREATE INDEX backups_by_schedule ON backups (schedule_id, created_at, id)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key, completed_at, size_bytes);
-- Where the filters leave few backups, these are collected kind by kind: backup_counts says which kinds there are.
DROP INDEX backups_by_trigger;
CREATE INDEX backups_by_kind ON backups (config_key, status, backup_type, source, "trigger", created_at, id)
    INCLUDE (completed_at, size_bytes, deleting) WHERE NOT deleting;

-- How many backups there are per kind and step of the two other orders, so that a page far behind is found by passing over
-- whole steps: the day of the end, and the stored bytes to two digits, as the smallest number of the step.
CREATE TABLE backup_steps (
    sort_by TEXT NOT NULL,
    step TEXT NOT NULL,
    config_key TEXT NOT NULL,
    status TEXT NOT NULL,
    backup_type TEXT NOT NULL,
    source TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    backups BIGINT NOT NULL CHECK (backups >= 0),
    PRIMARY KEY (sort_by, step, config_key, status, backup_type, source, "trigger")
) WITH (fillfactor = 80);
INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, "trigger", backups)
SELECT 'completedAt', to_char(backups.completed_at, 'YYYY-MM-DD'), config_key, status, backup_type, source, "trigger", COUNT(*)
    FROM backups WHERE NOT deleting AND completed_at IS NOT NULL GROUP BY 2, 3, 4, 5, 6, 7;
INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, "trigger", backups)
SELECT 'sizeBytes', lpad(rpad(left(backups.size_bytes::text, 2), length(backups.size_bytes::text), '0'), 19, '0'), config_key, status, backup_type, source, "trigger", COUNT(*)
    FROM backups WHERE NOT deleting AND size_bytes IS NOT NULL GROUP BY 2, 3, 4, 5, 6, 7;
CREATE FUNCTION backup_steps_keep() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE backup_steps SET backups = backups - 1 WHERE NOT OLD.deleting AND OLD.completed_at IS NOT NULL
            AND sort_by = 'completedAt' AND step = to_char(OLD.completed_at, 'YYYY-MM-DD') AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
        DELETE FROM backup_steps WHERE backups = 0 AND OLD.completed_at IS NOT NULL
            AND sort_by = 'completedAt' AND step = to_char(OLD.completed_at, 'YYYY-MM-DD') AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
        UPDATE backup_steps SET backups = backups - 1 WHERE NOT OLD.deleting AND OLD.size_bytes IS NOT NULL
            AND sort_by = 'sizeBytes' AND step = lpad(rpad(left(OLD.size_bytes::text, 2), length(OLD.size_bytes::text), '0'), 19, '0') AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
        DELETE FROM backup_steps WHERE backups = 0 AND OLD.size_bytes IS NOT NULL
            AND sort_by = 'sizeBytes' AND step = lpad(rpad(left(OLD.size_bytes::text, 2), length(OLD.size_bytes::text), '0'), 19, '0') AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, "trigger", backups)
        SELECT 'completedAt', to_char(NEW.completed_at, 'YYYY-MM-DD'), NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1
            WHERE NOT NEW.deleting AND NEW.completed_at IS NOT NULL
        ON CONFLICT (sort_by, step, config_key, status, backup_type, source, "trigger") DO UPDATE SET backups = backup_steps.backups + 1;
        INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, "trigger", backups)
        SELECT 'sizeBytes', lpad(rpad(left(NEW.size_bytes::text, 2), length(NEW.size_bytes::text), '0'), 19, '0'), NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1
            WHERE NOT NEW.deleting AND NEW.size_bytes IS NOT NULL
        ON CONFLICT (sort_by, step, config_key, status, backup_type, source, "trigger") DO UPDATE SET backups = backup_steps.backups + 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER backup_steps_on_insert_or_delete AFTER INSERT OR DELETE ON backups
    FOR EACH ROW EXECUTE FUNCTION backup_steps_keep();
CREATE TRIGGER backup_steps_on_update AFTER UPDATE ON backups FOR EACH ROW
    WHEN ((OLD.config_key, OLD.status, OLD.backup_type, OLD.source, OLD."trigger", OLD.completed_at, OLD.size_bytes, OLD.deleting)
        IS DISTINCT FROM
        (NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", NEW.completed_at, NEW.size_bytes, NEW.deleting))
    EXECUTE FUNCTION backup_steps_keep();
