DROP INDEX backups_before_restore;
DROP INDEX verifications_waiting;
DROP INDEX backups_waiting;
DROP TABLE config_turns;
ALTER TABLE verifications DROP COLUMN config_key;
ALTER TABLE backup_configs DROP COLUMN max_concurrent_jobs;
