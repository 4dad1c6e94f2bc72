-- What a search looks in where what it looks for is rare: for each three letters in a row, the backups that have them.
-- The last letters begin a gram too, so that a gram is found by its first one or two letters. Not pg_trgm: it may not be
-- installed, it wants three letters, and in some locales it passes over all letters but Latin ones. The cost keeps the
-- planner from making the grams of many rows instead of reading the index.
CREATE FUNCTION backup_grams(TEXT) RETURNS TSVECTOR LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
    SELECT array_to_tsvector(array_agg(DISTINCT substr($1, i, 3))) FROM generate_series(1, length($1)) AS i
$$;
CREATE INDEX backups_by_grams ON backups USING gin (backup_grams(search_text)) WITH (fastupdate = off);

-- With all that is filtered and ordered by, so that a state's backups are ordered by size without touching their rows.
DROP INDEX backups_by_status;
CREATE INDEX backups_by_status ON backups
    (status, created_at, id, deleting, backup_type, source, "trigger", config_key, completed_at, size_bytes);

-- Few backups are made by hand or before a restore.
CREATE INDEX backups_by_trigger ON backups ("trigger", created_at, id);

-- The daily totals summed over all days: a few rows, from which a list without dates takes its total at once.
CREATE TABLE backup_counts (
    config_key TEXT NOT NULL,
    status TEXT NOT NULL,
    backup_type TEXT NOT NULL,
    source TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    backups BIGINT NOT NULL CHECK (backups >= 0),
    size_bytes BIGINT NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (config_key, status, backup_type, source, "trigger")
) WITH (fillfactor = 50);
INSERT INTO backup_counts (config_key, status, backup_type, source, "trigger", backups, size_bytes)
    SELECT config_key, status, backup_type, source, "trigger", COUNT(*), COALESCE(SUM(size_bytes), 0)
    FROM backups WHERE NOT deleting GROUP BY config_key, status, backup_type, source, "trigger";
CREATE FUNCTION backup_counts_keep() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE backup_counts SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
            WHERE NOT OLD.deleting AND config_key = OLD.config_key AND status = OLD.status
                AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO backup_counts (config_key, status, backup_type, source, "trigger", backups, size_bytes)
        SELECT NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0)
            WHERE NOT NEW.deleting
        ON CONFLICT (config_key, status, backup_type, source, "trigger") DO UPDATE
            SET backups = backup_counts.backups + 1, size_bytes = backup_counts.size_bytes + excluded.size_bytes;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER backup_counts_on_insert_or_delete AFTER INSERT OR DELETE ON backups
    FOR EACH ROW EXECUTE FUNCTION backup_counts_keep();
CREATE TRIGGER backup_counts_on_update AFTER UPDATE ON backups FOR EACH ROW
    WHEN ((OLD.config_key, OLD.status, OLD.backup_type, OLD.source, OLD."trigger", OLD.size_bytes, OLD.deleting)
        IS DISTINCT FROM
        (NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", NEW.size_bytes, NEW.deleting))
    EXECUTE FUNCTION backup_counts_keep();
