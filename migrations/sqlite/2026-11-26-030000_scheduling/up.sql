-- What the schedulers need beside the schedules.
ALTER TABLE backup_schedules ADD COLUMN keep_hourly INTEGER CHECK (keep_hourly >= 0);
-- When its newest good backup ended: asked for by whoever watches, of every schedule at once.
ALTER TABLE backup_schedules ADD COLUMN last_success_at TEXT;
UPDATE backup_schedules SET last_success_at =
    (SELECT MAX(completed_at) FROM backups WHERE schedule_id = backup_schedules.id AND status = 'COMPLETED');
-- One that is disabled has no next instant, so the due ones are a range of this index.
UPDATE backup_schedules SET next_run_at = NULL WHERE NOT is_enabled;
DROP INDEX backup_schedules_due;
CREATE INDEX backup_schedules_due ON backup_schedules (next_run_at, id);
CREATE INDEX backup_schedules_by_time ON backup_schedules (created_at, id);

-- How many instants before this one went by without anybody being there.
ALTER TABLE schedule_firings ADD COLUMN missed INTEGER NOT NULL DEFAULT 0 CHECK (missed >= 0);
CREATE INDEX schedule_firings_by_time ON schedule_firings (recorded_at);

-- Which key opens it, so that what needs a key that is gone is known without reading the storage.
ALTER TABLE backups ADD COLUMN key_fingerprint TEXT;
CREATE INDEX backups_by_key ON backups (key_fingerprint, config_key, deleting, status) WHERE key_fingerprint IS NOT NULL;
DROP INDEX backups_by_schedule;
CREATE INDEX backups_by_schedule ON backups (schedule_id, created_at, id, deleting, status);
-- The few that wait or run.
CREATE INDEX backups_active ON backups (schedule_id) WHERE status IN ('PENDING', 'IN_PROGRESS');

-- What an alert says, as values: JSON.
ALTER TABLE alerts ADD COLUMN details TEXT NOT NULL DEFAULT '{}';

ALTER TABLE backup_configs ADD COLUMN webhooks TEXT NOT NULL DEFAULT '[]';
ALTER TABLE backup_configs ADD COLUMN notification_language TEXT NOT NULL DEFAULT 'zh-TW' CHECK (notification_language IN ('zh-TW', 'en'));
ALTER TABLE backup_configs ADD COLUMN usage_alert_percents TEXT NOT NULL DEFAULT '[80,90,95]';
ALTER TABLE backup_configs ADD COLUMN verify_within_days INTEGER DEFAULT 30 CHECK (verify_within_days >= 1);

-- Messages to people and machines, written with what they tell and delivered afterwards. run_after is when one may be
-- taken up: later than now while somebody holds it, so that one whose holder died comes up again.
CREATE TABLE notifications (
    id TEXT NOT NULL PRIMARY KEY,
    config_key TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('EMAIL', 'WEBHOOK')),
    target TEXT NOT NULL,
    report TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'SENT', 'FAILED')),
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    last_error TEXT,
    created_at TEXT NOT NULL,
    sent_at TEXT,
    run_after TEXT NOT NULL,
    lease_token TEXT
) STRICT;
CREATE INDEX notifications_due ON notifications (status, run_after, id);
CREATE INDEX notifications_by_time ON notifications (created_at);

-- Who reads a backup's file at the moment: it is not deleted meanwhile. One that ran out is nobody's.
CREATE TABLE backup_readings (
    id TEXT NOT NULL PRIMARY KEY,
    backup_id TEXT NOT NULL REFERENCES backups (id) ON DELETE CASCADE,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX backup_readings_by_backup ON backup_readings (backup_id, expires_at);
CREATE INDEX backup_readings_by_expiry ON backup_readings (expires_at);

-- What one process at a time does, and which one that is until when.
CREATE TABLE turns (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;

-- The latest time that retention has believed: a clock that leaps ahead of it makes nothing old.
CREATE TABLE retention_clock (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    at TEXT NOT NULL
) STRICT;
