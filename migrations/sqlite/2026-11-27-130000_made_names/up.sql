-- A backup that is made of another type than was asked for gets another name: its text changes once, and its grams with it.
CREATE TRIGGER backup_grams_on_update AFTER UPDATE OF search_text ON backups
    WHEN OLD.search_text <> NEW.search_text
BEGIN
    INSERT INTO backup_grams (backup_grams, rowid, search_text)
        SELECT 'delete', id, OLD.search_text || char(10, 10) FROM backup_grams_rows WHERE backup_id = OLD.id;
    INSERT INTO backup_grams (rowid, search_text)
        SELECT id, NEW.search_text || char(10, 10) FROM backup_grams_rows WHERE backup_id = NEW.id;
END;
