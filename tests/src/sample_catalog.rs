//! A catalog full of backups, as SQL: what lists, searches and counts are tried and measured on.
//!
//! Every minute from 2025 on there is a backup: of all kinds, two in a hundred failed, one in ten thousand cancelled, one in
//! a hundred with a description in Chinese, one in a thousand with one of its own, one in a thousand of the schedule
//! [`SCHEDULE`].

/// The schedule's identifier.
pub const SCHEDULE: &str = "00000000-0000-7000-8000-000000000001";

/// Fills an empty catalog on SQLite with so many backups. To be executed in one transaction.
pub fn sqlite(rows: u32) -> String {
    let numbers =
        format!("(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT n FROM s)");
    let rows = Rows {
        numbers: &numbers,
        id: "printf('00000000-0000-7000-8000-%012d', n)",
        at: "strftime('%Y-%m-%d %H:%M:%S', 1735689600 + n * 60, 'unixepoch')",
        stamp: "strftime('%Y-%m-%dT%H-%M-%S', 1735689600 + n * 60, 'unixepoch')",
        no: "0",
    };
    rows.insert()
}

/// Fills an empty catalog on PostgreSQL with so many backups. To be executed in one transaction.
pub fn postgres(rows: u32) -> String {
    let numbers = format!("generate_series(1, {rows}) AS n");
    let rows = Rows {
        numbers: &numbers,
        id: "'00000000-0000-7000-8000-' || lpad(n::text, 12, '0')",
        at: "to_timestamp(1735689600 + n * 60) AT TIME ZONE 'UTC'",
        stamp: "to_char(to_timestamp(1735689600 + n * 60) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24-MI-SS')",
        no: "FALSE",
    };
    // Filled row by row, the index of grams takes many times as long; and counted row by row in one transaction, the counts
    // leave a version of a few rows for each backup to be looked through.
    format!(
        "CREATE TEMPORARY TABLE kept AS SELECT indexdef FROM pg_indexes WHERE indexname = 'backups_by_grams'; \
         DROP INDEX backups_by_grams; ALTER TABLE backups DISABLE TRIGGER USER; {}; \
         ALTER TABLE backups ENABLE TRIGGER USER; {COUNTS}; SET LOCAL maintenance_work_mem = '256MB'; \
         DO $$ BEGIN EXECUTE (SELECT indexdef FROM kept); END $$; DROP TABLE kept; ANALYZE",
        rows.insert()
    )
}

/// How a database makes rows out of numbers.
struct Rows<'a> {
    /// The numbers from 1 on, as `n`.
    numbers: &'a str,
    id: &'a str,
    at: &'a str,
    stamp: &'a str,
    no: &'a str,
}

impl Rows<'_> {
    fn insert(&self) -> String {
        let Self {
            numbers,
            id,
            at,
            stamp,
            no,
        } = self;
        format!(
            "INSERT INTO backup_schedules (id, config_key, name, is_enabled, backup_type, backup_source, cron_expression, \
             timezone, retention_days, max_backups, created_at, updated_at) VALUES ('{SCHEDULE}', 'default', 's', TRUE, \
             'FULL', 'FILES', '0 2 * * *', 'UTC', 30, 1000, '2026-01-01 00:00:00', '2026-01-01 00:00:00'); \
             INSERT INTO backups (id, config_key, name, description, backup_type, source, \"trigger\", status, progress, \
             current_step, created_at, completed_at, attempts, cancel_requested, storage_path, size_bytes, source_bytes, \
             checksum, contents, warnings, protected, deleting, search_text, schedule_id) \
             SELECT id, 'default', 'backup-' || lower(source) || '-' || lower(kind) || '-' || stamp, description, kind, \
             source, CASE WHEN n % 500 = 0 THEN 'MANUAL' ELSE 'SCHEDULED' END, \
             CASE WHEN n % 10000 = 3 THEN 'CANCELLED' WHEN n % 50 = 1 THEN 'FAILED' ELSE 'COMPLETED' END, \
             100, 'FINISHED', at, at, 1, {no}, '2026/01-01/' || n || '.tar.gz.enc', \
             (CAST(n AS BIGINT) * 7919) % 1000000007, n, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', \
             '{{\"database\":{{\"sizeBytes\":1,\"tables\":[\"public.t\"],\"rowCount\":1}}}}', '[]', {no}, {no}, \
             lower('backup-' || source || '-' || kind || '-' || stamp || '\n' || id || '\n' || COALESCE(description, '')), \
             CASE WHEN n % 1000 = 0 THEN '{SCHEDULE}' ELSE NULL END FROM \
             (SELECT n, {id} AS id, {at} AS at, {stamp} AS stamp, \
             CASE n % 7 WHEN 0 THEN 'FULL' WHEN 1 THEN 'DIFFERENTIAL' ELSE 'INCREMENTAL' END AS kind, \
             CASE n % 4 WHEN 0 THEN 'DATABASE' WHEN 1 THEN 'FILES' WHEN 2 THEN 'CONFIG' ELSE 'FULL_SYSTEM' END AS source, \
             CASE WHEN n % 100 = 7 THEN '每晚備份' WHEN n % 1000 = 501 THEN '升級 ' || n || ' 之前' ELSE NULL END \
             AS description FROM {numbers}) AS numbered"
        )
    }
}

/// What the triggers would have counted.
const COUNTS: &str = "INSERT INTO backup_totals (config_key, day, status, backup_type, source, \"trigger\", backups, size_bytes) \
    SELECT config_key, to_char(created_at, 'YYYY-MM-DD'), status, backup_type, source, \"trigger\", COUNT(*), \
    COALESCE(SUM(size_bytes), 0) FROM backups GROUP BY 1, 2, 3, 4, 5, 6; \
    INSERT INTO backup_counts (config_key, status, backup_type, source, \"trigger\", backups, size_bytes) \
    SELECT config_key, status, backup_type, source, \"trigger\", COUNT(*), COALESCE(SUM(size_bytes), 0) \
    FROM backups GROUP BY 1, 2, 3, 4, 5; \
    INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, \"trigger\", backups) \
    SELECT 'completedAt', to_char(completed_at, 'YYYY-MM-DD'), config_key, status, backup_type, source, \"trigger\", COUNT(*) \
    FROM backups GROUP BY 2, 3, 4, 5, 6, 7; \
    INSERT INTO backup_steps (sort_by, step, config_key, status, backup_type, source, \"trigger\", backups) \
    SELECT 'sizeBytes', lpad(rpad(left(size_bytes::text, 2), length(size_bytes::text), '0'), 19, '0'), \
    config_key, status, backup_type, source, \"trigger\", COUNT(*) FROM backups GROUP BY 2, 3, 4, 5, 6, 7";
