-- Taking up jobs with many workers: fairly between configurations, and within limits.
-- How many jobs of a configuration may run at once; NULL: as many as there are workers.
ALTER TABLE backup_configs ADD COLUMN max_concurrent_jobs INTEGER CHECK (max_concurrent_jobs >= 1);
-- Whose backup is checked, as it stands on the other kinds of jobs.
ALTER TABLE verifications ADD COLUMN config_key TEXT NOT NULL DEFAULT '';
UPDATE verifications SET config_key = (SELECT config_key FROM backups WHERE backups.id = verifications.backup_id);

-- When a job of a configuration was last taken up: the others have their turn before it.
CREATE TABLE config_turns (
    config_key TEXT NOT NULL PRIMARY KEY,
    taken_at TEXT NOT NULL
) STRICT;

-- The jobs that wait, by configuration: the oldest of each is found without going through the others.
CREATE INDEX backups_waiting ON backups (config_key, created_at, id) WHERE status = 'PENDING';
CREATE INDEX verifications_waiting ON verifications (config_key, created_at, id) WHERE status = 'PENDING';
-- Those that a restore waits for.
CREATE INDEX backups_before_restore ON backups (created_at, id) WHERE status = 'PENDING' AND "trigger" = 'PRE_RESTORE';
