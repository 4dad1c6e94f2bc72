ALTER TABLE restore_records DROP COLUMN skip_tablespaces;
