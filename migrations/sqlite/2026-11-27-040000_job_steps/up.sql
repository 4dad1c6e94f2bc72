-- When each step of a job's last attempt began, as JSON.
ALTER TABLE backups ADD COLUMN steps TEXT NOT NULL DEFAULT '[]';
ALTER TABLE restore_records ADD COLUMN steps TEXT NOT NULL DEFAULT '[]';
ALTER TABLE verifications ADD COLUMN steps TEXT NOT NULL DEFAULT '[]';
