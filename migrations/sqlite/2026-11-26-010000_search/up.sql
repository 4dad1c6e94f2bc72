-- What a search looks in where what it looks for is rare: for each three letters in a row, the backups that have them.
-- Two line ends behind the text let its last letters begin a gram too, so that a gram is found by its first one or two
-- letters. The index numbers its rows; backup_grams_rows says whose they are, since the numbers of backups itself are not
-- kept by VACUUM. The text of a backup never changes.
CREATE VIRTUAL TABLE backup_grams USING fts5
    (search_text, content = '', detail = none, columnsize = 0, tokenize = 'trigram case_sensitive 1');
CREATE VIRTUAL TABLE backup_grams_words USING fts5vocab ('backup_grams', 'instance');
CREATE TABLE backup_grams_rows (
    id INTEGER NOT NULL PRIMARY KEY,
    backup_id TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO backup_grams_rows (backup_id) SELECT id FROM backups ORDER BY created_at, id;
INSERT INTO backup_grams (rowid, search_text)
    SELECT backup_grams_rows.id, backups.search_text || char(10, 10)
    FROM backup_grams_rows JOIN backups ON backups.id = backup_grams_rows.backup_id;
CREATE TRIGGER backup_grams_on_insert AFTER INSERT ON backups BEGIN
    INSERT INTO backup_grams_rows (backup_id) VALUES (NEW.id);
    INSERT INTO backup_grams (rowid, search_text)
        SELECT id, NEW.search_text || char(10, 10) FROM backup_grams_rows WHERE backup_id = NEW.id;
END;
CREATE TRIGGER backup_grams_on_delete AFTER DELETE ON backups BEGIN
    INSERT INTO backup_grams (backup_grams, rowid, search_text)
        SELECT 'delete', id, OLD.search_text || char(10, 10) FROM backup_grams_rows WHERE backup_id = OLD.id;
    DELETE FROM backup_grams_rows WHERE backup_id = OLD.id;
END;

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
    backups INTEGER NOT NULL CHECK (backups >= 0),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (config_key, status, backup_type, source, "trigger")
) STRICT;
INSERT INTO backup_counts (config_key, status, backup_type, source, "trigger", backups, size_bytes)
    SELECT config_key, status, backup_type, source, "trigger", COUNT(*), COALESCE(SUM(size_bytes), 0)
    FROM backups WHERE NOT deleting GROUP BY config_key, status, backup_type, source, "trigger";
CREATE TRIGGER backup_counts_on_insert AFTER INSERT ON backups WHEN NOT NEW.deleting BEGIN
    INSERT INTO backup_counts (config_key, status, backup_type, source, "trigger", backups, size_bytes)
    VALUES (NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0))
    ON CONFLICT (config_key, status, backup_type, source, "trigger") DO UPDATE
        SET backups = backup_counts.backups + 1, size_bytes = backup_counts.size_bytes + excluded.size_bytes;
END;
CREATE TRIGGER backup_counts_on_delete AFTER DELETE ON backups WHEN NOT OLD.deleting BEGIN
    UPDATE backup_counts SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
        WHERE config_key = OLD.config_key AND status = OLD.status AND backup_type = OLD.backup_type
            AND source = OLD.source AND "trigger" = OLD."trigger";
END;
CREATE TRIGGER backup_counts_on_update AFTER UPDATE ON backups
    WHEN (OLD.config_key, OLD.status, OLD.backup_type, OLD.source, OLD."trigger", OLD.size_bytes, OLD.deleting)
        IS NOT
        (NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", NEW.size_bytes, NEW.deleting)
BEGIN
    UPDATE backup_counts SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
        WHERE NOT OLD.deleting AND config_key = OLD.config_key AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    INSERT INTO backup_counts (config_key, status, backup_type, source, "trigger", backups, size_bytes)
    SELECT NEW.config_key, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0)
        WHERE NOT NEW.deleting
    ON CONFLICT (config_key, status, backup_type, source, "trigger") DO UPDATE
        SET backups = backup_counts.backups + 1, size_bytes = backup_counts.size_bytes + excluded.size_bytes;
END;
