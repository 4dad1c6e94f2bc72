ALTER TABLE backups DROP COLUMN log;
ALTER TABLE restore_records DROP COLUMN log;
ALTER TABLE verifications DROP COLUMN log;
