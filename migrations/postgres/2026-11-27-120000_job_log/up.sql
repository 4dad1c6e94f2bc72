-- What the attempts of a job did, line by line, as JSON.
ALTER TABLE backups ADD COLUMN log TEXT NOT NULL DEFAULT '{}';
ALTER TABLE restore_records ADD COLUMN log TEXT NOT NULL DEFAULT '{}';
ALTER TABLE verifications ADD COLUMN log TEXT NOT NULL DEFAULT '{}';
