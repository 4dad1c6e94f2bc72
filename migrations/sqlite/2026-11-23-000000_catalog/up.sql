-- The catalog. The same tables and columns as migrations/postgres; times are UTC and written by the program only.
-- People who may log in. A user without a password hash logs in through OpenID Connect only.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('ADMIN', 'VIEWER')),
    password_hash TEXT,
    oidc_subject TEXT UNIQUE,
    is_active INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    last_login_at TEXT
) STRICT;

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret_hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE api_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL CHECK (scope IN ('READ', 'OPERATE', 'ADMIN')),
    created_by TEXT REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    last_used_at TEXT
) STRICT;
CREATE INDEX api_tokens_by_creator ON api_tokens (created_by);

-- Failed log-ins of late, so that the limit holds across restarts and processes.
CREATE TABLE login_failures (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    address TEXT NOT NULL,
    failed_at TEXT NOT NULL
) STRICT;
CREATE INDEX login_failures_by_account ON login_failures (account, failed_at);
CREATE INDEX login_failures_by_address ON login_failures (address, failed_at);
CREATE INDEX login_failures_by_time ON login_failures (failed_at);

-- Append-only. It refers to nothing, so that what it says outlives what it is about.
CREATE TABLE audit_log (
    id TEXT NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    user_id TEXT,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT,
    description TEXT NOT NULL,
    address TEXT
) STRICT;
CREATE INDEX audit_log_by_time ON audit_log (at, id);
CREATE INDEX audit_log_by_resource ON audit_log (resource_type, resource_id, at);
CREATE INDEX audit_log_by_user ON audit_log (user_id, at);

CREATE TABLE system_configs (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    category TEXT NOT NULL,
    value_type TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    is_encrypted INTEGER NOT NULL
) STRICT;

CREATE TABLE backup_configs (
    key TEXT NOT NULL PRIMARY KEY,
    storage_connection_string TEXT,
    container_name TEXT NOT NULL,
    database_host TEXT,
    database_port INTEGER NOT NULL CHECK (database_port BETWEEN 0 AND 65535),
    database_name TEXT,
    compression_enabled INTEGER NOT NULL,
    compression_algorithm TEXT CHECK (compression_algorithm IN ('gzip', 'zstd', 'none')),
    encryption_enabled INTEGER NOT NULL,
    encryption_key TEXT,
    notify_on_success INTEGER NOT NULL,
    notify_on_failure INTEGER NOT NULL,
    notification_emails TEXT NOT NULL,
    quota_gigabytes INTEGER CHECK (quota_gigabytes >= 0),
    updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE backup_schedules (
    id TEXT NOT NULL PRIMARY KEY,
    config_key TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    is_enabled INTEGER NOT NULL,
    backup_type TEXT NOT NULL CHECK (backup_type IN ('FULL', 'INCREMENTAL', 'DIFFERENTIAL')),
    backup_source TEXT NOT NULL CHECK (backup_source IN ('DATABASE', 'FILES', 'CONFIG', 'FULL_SYSTEM')),
    cron_expression TEXT NOT NULL,
    timezone TEXT NOT NULL,
    retention_days INTEGER NOT NULL CHECK (retention_days BETWEEN 1 AND 3650),
    max_backups INTEGER NOT NULL CHECK (max_backups BETWEEN 1 AND 1000),
    keep_daily INTEGER CHECK (keep_daily >= 0),
    keep_weekly INTEGER CHECK (keep_weekly >= 0),
    keep_monthly INTEGER CHECK (keep_monthly >= 0),
    keep_yearly INTEGER CHECK (keep_yearly >= 0),
    next_run_at TEXT,
    last_run_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    created_by TEXT REFERENCES users (id) ON DELETE SET NULL
) STRICT;
CREATE INDEX backup_schedules_due ON backup_schedules (is_enabled, next_run_at);

-- One row per backup: the record and the job that makes it. lease_token stays when the job has ended, so that the
-- worker that ended it may say so twice.
CREATE TABLE backups (
    id TEXT NOT NULL PRIMARY KEY,
    config_key TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    backup_type TEXT NOT NULL CHECK (backup_type IN ('FULL', 'INCREMENTAL', 'DIFFERENTIAL')),
    source TEXT NOT NULL CHECK (source IN ('DATABASE', 'FILES', 'CONFIG', 'FULL_SYSTEM')),
    "trigger" TEXT NOT NULL CHECK ("trigger" IN ('SCHEDULED', 'MANUAL', 'PRE_RESTORE')),
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'CANCELLED')),
    progress INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 100),
    current_step TEXT NOT NULL CHECK (current_step IN
        ('QUEUED', 'PREPARING', 'DATABASE', 'FILES', 'CONFIG', 'ARCHIVE', 'UPLOAD', 'VERIFY', 'FINISHED')),
    error_message TEXT,
    started_at TEXT,
    completed_at TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    cancel_requested INTEGER NOT NULL,
    storage_path TEXT,
    size_bytes INTEGER CHECK (size_bytes >= 0),
    source_bytes INTEGER CHECK (source_bytes >= 0),
    checksum TEXT,
    contents TEXT,
    warnings TEXT NOT NULL,
    base_id TEXT,
    protected INTEGER NOT NULL,
    verified_at TEXT,
    verify_level TEXT CHECK (verify_level IN ('CHECKSUM', 'CONTENT', 'RESTORE')),
    verify_error TEXT,
    expires_at TEXT,
    schedule_id TEXT REFERENCES backup_schedules (id) ON DELETE SET NULL,
    deleting INTEGER NOT NULL,
    search_text TEXT NOT NULL,
    run_after TEXT,
    lease_owner TEXT,
    lease_token TEXT,
    lease_expires_at TEXT,
    CHECK (status <> 'IN_PROGRESS' OR (lease_token IS NOT NULL AND lease_expires_at IS NOT NULL)),
    CHECK (status <> 'COMPLETED' OR (storage_path IS NOT NULL AND size_bytes IS NOT NULL AND checksum IS NOT NULL))
) STRICT;
-- An index that a list is read in holds every filter, so that a page is found without touching the rows that are not
-- on it.
CREATE INDEX backups_list ON backups (created_at, id, deleting, status, backup_type, source, "trigger");
CREATE INDEX backups_by_status ON backups (status, created_at, id);
CREATE INDEX backups_by_type_source ON backups (backup_type, source, created_at, id);
CREATE INDEX backups_by_schedule ON backups (schedule_id, created_at);
CREATE INDEX backups_by_creator ON backups (created_by);
CREATE INDEX backups_by_base ON backups (base_id);
CREATE INDEX backups_by_expiry ON backups (expires_at);
CREATE INDEX backups_by_completed ON backups (completed_at, id, deleting, status, backup_type, source, "trigger");
CREATE INDEX backups_by_size ON backups (size_bytes, id, deleting, status, backup_type, source, "trigger");
-- What a search reads instead of the whole rows. (PostgreSQL limits what an index entry may hold, and reads the rows.)
CREATE INDEX backups_search ON backups (created_at, id, deleting, status, backup_type, source, "trigger", search_text);
CREATE INDEX backups_deleting ON backups (id) WHERE deleting;

-- How many backups there are, and how many bytes they store, per day and kind: what a list's total and the overview
-- are summed from. Kept by triggers, so that no writer can forget it. Backups that are being deleted do not count.
CREATE TABLE backup_totals (
    day TEXT NOT NULL,
    status TEXT NOT NULL,
    backup_type TEXT NOT NULL,
    source TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    backups INTEGER NOT NULL CHECK (backups >= 0),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (day, status, backup_type, source, "trigger")
) STRICT;
CREATE TRIGGER backup_totals_on_insert AFTER INSERT ON backups BEGIN
    INSERT INTO backup_totals (day, status, backup_type, source, "trigger", backups, size_bytes)
    SELECT substr(NEW.created_at, 1, 10), NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0)
        WHERE NOT NEW.deleting
    ON CONFLICT (day, status, backup_type, source, "trigger") DO UPDATE
        SET backups = backup_totals.backups + 1, size_bytes = backup_totals.size_bytes + excluded.size_bytes;
END;
CREATE TRIGGER backup_totals_on_delete AFTER DELETE ON backups BEGIN
    UPDATE backup_totals SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
        WHERE NOT OLD.deleting AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    DELETE FROM backup_totals WHERE backups = 0 AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
END;
CREATE TRIGGER backup_totals_on_update AFTER UPDATE ON backups
    WHEN (OLD.created_at, OLD.status, OLD.backup_type, OLD.source, OLD."trigger", OLD.size_bytes, OLD.deleting)
        IS NOT
        (NEW.created_at, NEW.status, NEW.backup_type, NEW.source, NEW."trigger", NEW.size_bytes, NEW.deleting)
BEGIN
    UPDATE backup_totals SET backups = backups - 1, size_bytes = size_bytes - COALESCE(OLD.size_bytes, 0)
        WHERE NOT OLD.deleting AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    DELETE FROM backup_totals WHERE backups = 0 AND day = substr(OLD.created_at, 1, 10) AND status = OLD.status
            AND backup_type = OLD.backup_type AND source = OLD.source AND "trigger" = OLD."trigger";
    INSERT INTO backup_totals (day, status, backup_type, source, "trigger", backups, size_bytes)
    SELECT substr(NEW.created_at, 1, 10), NEW.status, NEW.backup_type, NEW.source, NEW."trigger", 1, COALESCE(NEW.size_bytes, 0)
        WHERE NOT NEW.deleting
    ON CONFLICT (day, status, backup_type, source, "trigger") DO UPDATE
        SET backups = backup_totals.backups + 1, size_bytes = backup_totals.size_bytes + excluded.size_bytes;
END;

-- A schedule fires at an instant once, however many schedulers there are.
CREATE TABLE schedule_firings (
    schedule_id TEXT NOT NULL REFERENCES backup_schedules (id) ON DELETE CASCADE,
    scheduled_at TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('STARTED', 'CAUGHT_UP', 'SKIPPED')),
    backup_id TEXT,
    recorded_at TEXT NOT NULL,
    PRIMARY KEY (schedule_id, scheduled_at)
) STRICT;

CREATE TABLE backup_storage_usage (
    id TEXT NOT NULL PRIMARY KEY,
    recorded_at TEXT NOT NULL,
    total_size_bytes INTEGER NOT NULL CHECK (total_size_bytes >= 0),
    backup_count INTEGER NOT NULL CHECK (backup_count >= 0),
    oldest_backup_at TEXT,
    newest_backup_at TEXT,
    quota_bytes INTEGER CHECK (quota_bytes >= 0),
    usage_percent REAL
) STRICT;
CREATE INDEX backup_storage_usage_by_time ON backup_storage_usage (recorded_at);

-- backup_id is no foreign key: the record of a restore outlives the backup.
CREATE TABLE restore_records (
    id TEXT NOT NULL PRIMARY KEY,
    backup_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'CANCELLED')),
    progress INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 100),
    current_step TEXT NOT NULL CHECK (current_step IN
        ('QUEUED', 'PREPARING', 'DATABASE', 'FILES', 'CONFIG', 'ARCHIVE', 'UPLOAD', 'VERIFY', 'FINISHED')),
    error_message TEXT,
    started_at TEXT,
    completed_at TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    cancel_requested INTEGER NOT NULL,
    restore_database INTEGER NOT NULL,
    restore_files INTEGER NOT NULL,
    restore_config INTEGER NOT NULL,
    target_database TEXT,
    target_dir TEXT,
    mode TEXT NOT NULL CHECK (mode IN ('NEW', 'REPLACE')),
    paths TEXT NOT NULL,
    tables TEXT NOT NULL,
    safety_backup INTEGER NOT NULL,
    run_after TEXT,
    lease_owner TEXT,
    lease_token TEXT,
    lease_expires_at TEXT,
    CHECK (status <> 'IN_PROGRESS' OR (lease_token IS NOT NULL AND lease_expires_at IS NOT NULL))
) STRICT;
CREATE INDEX restore_records_by_backup ON restore_records (backup_id, created_at);
CREATE INDEX restore_records_by_status ON restore_records (status, created_at, id);
CREATE INDEX restore_records_by_time ON restore_records (created_at, id);
CREATE INDEX restore_records_by_creator ON restore_records (created_by);

CREATE TABLE verifications (
    id TEXT NOT NULL PRIMARY KEY,
    backup_id TEXT NOT NULL REFERENCES backups (id) ON DELETE CASCADE,
    level TEXT NOT NULL CHECK (level IN ('CHECKSUM', 'CONTENT', 'RESTORE')),
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'CANCELLED')),
    progress INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 100),
    current_step TEXT NOT NULL CHECK (current_step IN
        ('QUEUED', 'PREPARING', 'DATABASE', 'FILES', 'CONFIG', 'ARCHIVE', 'UPLOAD', 'VERIFY', 'FINISHED')),
    error_message TEXT,
    started_at TEXT,
    completed_at TEXT,
    created_at TEXT NOT NULL,
    created_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    cancel_requested INTEGER NOT NULL,
    run_after TEXT,
    lease_owner TEXT,
    lease_token TEXT,
    lease_expires_at TEXT,
    CHECK (status <> 'IN_PROGRESS' OR (lease_token IS NOT NULL AND lease_expires_at IS NOT NULL))
) STRICT;
CREATE INDEX verifications_by_backup ON verifications (backup_id, created_at);
CREATE INDEX verifications_by_status ON verifications (status, created_at, id);
CREATE INDEX verifications_by_creator ON verifications (created_by);

CREATE TABLE alerts (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('INFO', 'WARNING', 'CRITICAL')),
    message TEXT NOT NULL,
    raised_at TEXT NOT NULL,
    acknowledged_at TEXT,
    resolved_at TEXT
) STRICT;
CREATE UNIQUE INDEX alerts_open ON alerts (kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX alerts_by_time ON alerts (raised_at, id);

-- What changed, in the order in which it was committed. The counter outlives the trimmed rows.
CREATE TABLE event_counter (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    last_seq INTEGER NOT NULL
) STRICT;
INSERT INTO event_counter (id, last_seq) VALUES (1, 0);

CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('backup', 'restore', 'schedule', 'alert')),
    subject_id TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
