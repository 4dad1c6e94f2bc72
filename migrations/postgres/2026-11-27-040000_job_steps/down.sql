ALTER TABLE backups DROP COLUMN steps;
ALTER TABLE restore_records DROP COLUMN steps;
ALTER TABLE verifications DROP COLUMN steps;
