DROP TRIGGER backup_grams_on_insert;
DROP TRIGGER backup_grams_on_update;
ALTER TABLE backup_grams_rows DROP COLUMN search_text;
CREATE TRIGGER backup_grams_on_insert AFTER INSERT ON backups BEGIN
    INSERT INTO backup_grams_rows (backup_id) VALUES (NEW.id);
    INSERT INTO backup_grams (rowid, search_text)
        SELECT id, NEW.search_text || char(10, 10) FROM backup_grams_rows WHERE backup_id = NEW.id;
END;
CREATE TRIGGER backup_grams_on_update AFTER UPDATE OF search_text ON backups
    WHEN OLD.search_text <> NEW.search_text
BEGIN
    INSERT INTO backup_grams (backup_grams, rowid, search_text)
        SELECT 'delete', id, OLD.search_text || char(10, 10) FROM backup_grams_rows WHERE backup_id = OLD.id;
    INSERT INTO backup_grams (rowid, search_text)
        SELECT id, NEW.search_text || char(10, 10) FROM backup_grams_rows WHERE backup_id = NEW.id;
END;
