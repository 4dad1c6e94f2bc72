-- Every list within milliseconds, whatever is filtered and whatever it is ordered by.
-- The index of each order holds every filter: a page is found in it by passing over what is filtered out. That of the
-- dates holds what else there is to order by: what lies between two dates is ordered without touching the rows.
DROP INDEX backups_list;
CREATE INDEX backups_list ON backups
    (created_at, id, deleting, status, backup_type, source, "trigger", config_key, completed_at, size_bytes);
DROP INDEX backups_by_completed;
CREATE INDEX backups_by_completed ON backups
    (completed_at, id, deleting, status, backup_type, source, "trigger", config_key, created_at);
DROP INDEX backups_by_size;
CREATE INDEX backups_by_size ON backups
    (size_bytes, id, deleting, status, backup_type, source, "trigger", config_key, created_at);
DROP INDEX backups_search;
CREATE INDEX backups_search ON backups
    (created_at, id, deleting, status, backup_type, source, "trigger", config_key, completed_at, size_bytes, search_text);
DROP INDEX backups_by_schedule;
CREATE INDEX backups_by_schedule ON backups
    (schedule_id, created_at, id, deleting, status, backup_type, source, "trigger", config_key, completed_at, size_bytes);
-- Where the filters leave few backups, these are collected kind by kind: backup_counts says which kinds there are. Partial,
-- so that nothing else is answered from it.
DROP INDEX backups_by_trigger;
CREATE INDEX backups_by_kind ON backups
    (config_key, status, backup_type, source, "trigger", created_at, id, completed_at, size_bytes, deleting, search_text)
    WHERE NOT deleting;
CREATE INDEX backup_totals_by_day ON backup_totals (day, status, backup_type, source, "trigger", config_key, backups);

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
    backups INTEGER NOT NULL CHECK (backups >= 0),
    PRIMARY KEY (sort_by, step, config_key, status, backup_type, source, "trigger")
) STRICT, WITHOUT ROWID;
INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, "trigger", backups)
SELECT 'completedAt', substr(backups.completed_at, 1, 10), config_key, status, backup_type, source, "trigger", COUNT(*)
    FROM backups WHERE NOT deleting AND completed_at IS NOT NULL GROUP BY 2, 3, 4, 5, 6, 7;
INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, "trigger", backups)
SELECT 'sizeBytes', printf('%019d', CAST(substr(backups.size_bytes, 1, 2) || substr('00000000000000000', 1, max(length(backups.size_bytes) - 2, 0)) AS INTEGER)), config_key, status, backup_type, source, "trigger", COUNT(*)
    FROM backups WHERE NOT deleting AND size_bytes IS NOT NULL GROUP BY 2, 3, 4, 5, 6, 7;
CREATE TRIGGER backup_steps_on_insert AFTER INSERT ON backups
    WHEN NEW.completed_at IS NOT NULL OR NEW.size_bytes IS NOT NULL
BEGIN
    INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, "trigger", backups)
    SELECT 'completedAt', substr(NEW.completed_at, 1, 10), NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1
        WHERE NOT NEW.deleting AND NEW.completed_at IS NOT NULL
    ON CONFLICT (sort_by, step, config_key, status, backup_type, source, "trigger") DO UPDATE SET backups = backup_steps.backups + 1;
    INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, "trigger", backups)
    SELECT 'sizeBytes', printf('%019d', CAST(substr(NEW.size_bytes, 1, 2) || substr('00000000000000000', 1, max(length(NEW.size_bytes) - 2, 0)) AS INTEGER)), NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1
        WHERE NOT NEW.deleting AND NEW.size_bytes IS NOT NULL
    ON CONFLICT (sort_by, step, config_key, status, backup_type, source, "trigger") DO UPDATE SET backups = backup_steps.backups + 1;
END;
CREATE TRIGGER backup_steps_on_delete AFTER DELETE ON backups
    WHEN NOT OLD.deleting AND (OLD.completed_at IS NOT NULL OR OLD.size_bytes IS NOT NULL)
BEGIN
    UPDATE backup_steps SET backups = backups - 1 WHERE NOT OLD.deleting AND OLD.completed_at IS NOT NULL
        AND sort_by = 'completedAt' AND step = substr(OLD.completed_at, 1, 10) AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    DELETE FROM backup_steps WHERE backups = 0 AND OLD.completed_at IS NOT NULL
        AND sort_by = 'completedAt' AND step = substr(OLD.completed_at, 1, 10) AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    UPDATE backup_steps SET backups = backups - 1 WHERE NOT OLD.deleting AND OLD.size_bytes IS NOT NULL
        AND sort_by = 'sizeBytes' AND step = printf('%019d', CAST(substr(OLD.size_bytes, 1, 2) || substr('00000000000000000', 1, max(length(OLD.size_bytes) - 2, 0)) AS INTEGER)) AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    DELETE FROM backup_steps WHERE backups = 0 AND OLD.size_bytes IS NOT NULL
        AND sort_by = 'sizeBytes' AND step = printf('%019d', CAST(substr(OLD.size_bytes, 1, 2) || substr('00000000000000000', 1, max(length(OLD.size_bytes) - 2, 0)) AS INTEGER)) AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
END;
CREATE TRIGGER backup_steps_on_update AFTER UPDATE ON backups
    WHEN (OLD.config_key, OLD.status, OLD.backup_type, OLD.source, OLD."trigger", OLD.completed_at, OLD.size_bytes, OLD.deleting)
        IS NOT
        (NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", NEW.completed_at, NEW.size_bytes, NEW.deleting)
BEGIN
    UPDATE backup_steps SET backups = backups - 1 WHERE NOT OLD.deleting AND OLD.completed_at IS NOT NULL
        AND sort_by = 'completedAt' AND step = substr(OLD.completed_at, 1, 10) AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    DELETE FROM backup_steps WHERE backups = 0 AND OLD.completed_at IS NOT NULL
        AND sort_by = 'completedAt' AND step = substr(OLD.completed_at, 1, 10) AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    UPDATE backup_steps SET backups = backups - 1 WHERE NOT OLD.deleting AND OLD.size_bytes IS NOT NULL
        AND sort_by = 'sizeBytes' AND step = printf('%019d', CAST(substr(OLD.size_bytes, 1, 2) || substr('00000000000000000', 1, max(length(OLD.size_bytes) - 2, 0)) AS INTEGER)) AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    DELETE FROM backup_steps WHERE backups = 0 AND OLD.size_bytes IS NOT NULL
        AND sort_by = 'sizeBytes' AND step = printf('%019d', CAST(substr(OLD.size_bytes, 1, 2) || substr('00000000000000000', 1, max(length(OLD.size_bytes) - 2, 0)) AS INTEGER)) AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, "trigger", backups)
    SELECT 'completedAt', substr(NEW.completed_at, 1, 10), NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1
        WHERE NOT NEW.deleting AND NEW.completed_at IS NOT NULL
    ON CONFLICT (sort_by, step, config_key, status, backup_type, source, "trigger") DO UPDATE SET backups = backup_steps.backups + 1;
    INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, "trigger", backups)
    SELECT 'sizeBytes', printf('%019d', CAST(substr(NEW.size_bytes, 1, 2) || substr('00000000000000000', 1, max(length(NEW.size_bytes) - 2, 0)) AS INTEGER)), NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1
        WHERE NOT NEW.deleting AND NEW.size_bytes IS NOT NULL
    ON CONFLICT (sort_by, step, config_key, status, backup_type, source, "trigger") DO UPDATE SET backups = backup_steps.backups + 1;
END;
