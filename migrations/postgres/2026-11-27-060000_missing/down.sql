UPDATE backups SET verify_error = missing WHERE missing IS NOT NULL AND verify_error IS NULL;
DROP INDEX backups_missing;
ALTER TABLE backups DROP COLUMN missing;
