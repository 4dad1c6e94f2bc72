-- A restore, or the end of what an earlier one replaced.
ALTER TABLE restore_records ADD COLUMN action TEXT NOT NULL DEFAULT 'RESTORE' CHECK (action IN ('RESTORE', 'ROLL_BACK', 'DISCARD'));
-- The restore whose replacement it ends.
ALTER TABLE restore_records ADD COLUMN of_restore_id TEXT;
-- Where its backup is, which outlives the backup; empty for restores from before this was recorded.
ALTER TABLE restore_records ADD COLUMN config_key TEXT NOT NULL DEFAULT '';
-- The PRE_RESTORE backup that it waits for.
ALTER TABLE restore_records ADD COLUMN safety_backup_id TEXT;
ALTER TABLE restore_records ADD COLUMN skip_owner BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE restore_records ADD COLUMN keep_old_hours INTEGER NOT NULL DEFAULT 72 CHECK (keep_old_hours > 0);
-- What is put where, and how far that is: JSON.
ALTER TABLE restore_records ADD COLUMN replacement TEXT;
-- Until when what was replaced is kept; none once it is not.
ALTER TABLE restore_records ADD COLUMN kept_until TIMESTAMP;
ALTER TABLE restore_records ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]';
CREATE INDEX restore_records_kept ON restore_records (kept_until) WHERE kept_until IS NOT NULL;
CREATE INDEX restore_records_endings ON restore_records (of_restore_id, created_at) WHERE of_restore_id IS NOT NULL;

-- How often, and how thoroughly, a schedule's new backups are verified.
ALTER TABLE backup_schedules ADD COLUMN verify_when TEXT NOT NULL DEFAULT 'NEVER'
    CHECK (verify_when IN ('NEVER', 'EACH', 'DAILY', 'WEEKLY', 'MONTHLY', 'SAMPLED'));
ALTER TABLE backup_schedules ADD COLUMN verify_level TEXT NOT NULL DEFAULT 'RESTORE' CHECK (verify_level IN ('CHECKSUM', 'CONTENT', 'RESTORE'));
-- Of a hundred backups, where SAMPLED.
ALTER TABLE backup_schedules ADD COLUMN verify_percent INTEGER NOT NULL DEFAULT 10 CHECK (verify_percent BETWEEN 1 AND 100);
-- When a backup of it was last handed over to be verified, and when one was last found good, both at that level.
ALTER TABLE backup_schedules ADD COLUMN last_verify_asked_at TIMESTAMP;
ALTER TABLE backup_schedules ADD COLUMN last_verify_passed_at TIMESTAMP;
