-- What ever came of backups, by configuration: how many ended how; and of the good ones how many lie in each step of how long
-- they took (milliseconds) and of what they store (bytes), with the sum of these. `bound` is the largest number of a step;
-- what is only counted has one step, which has no end. Rows are raised and never lowered: what is deleted has ended too.
CREATE TABLE metric_totals (
    config_key TEXT NOT NULL,
    metric TEXT NOT NULL CHECK (metric IN ('COMPLETED', 'FAILED', 'CANCELLED', 'DURATION', 'SIZE')),
    bound INTEGER NOT NULL,
    backups INTEGER NOT NULL CHECK (backups >= 0),
    amount INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (config_key, metric, bound)
) STRICT, WITHOUT ROWID;

-- Counting goes on from what is still there.
INSERT INTO metric_totals (config_key, metric, bound, backups, amount)
SELECT config_key, status, 9223372036854775807, COUNT(*), 0
    FROM backups WHERE status IN ('COMPLETED', 'FAILED', 'CANCELLED') GROUP BY config_key, status;
INSERT INTO metric_totals (config_key, metric, bound, backups, amount)
SELECT config_key, 'DURATION',
    CASE
        WHEN took <= 1000 THEN 1000 WHEN took <= 5000 THEN 5000 WHEN took <= 15000 THEN 15000
        WHEN took <= 60000 THEN 60000 WHEN took <= 300000 THEN 300000 WHEN took <= 900000 THEN 900000
        WHEN took <= 1800000 THEN 1800000 WHEN took <= 3600000 THEN 3600000 WHEN took <= 7200000 THEN 7200000
        WHEN took <= 14400000 THEN 14400000 WHEN took <= 28800000 THEN 28800000
        ELSE 9223372036854775807 END,
    COUNT(*), SUM(took)
    FROM (SELECT config_key,
        MAX(0, COALESCE(CAST(ROUND((julianday(completed_at) - julianday(started_at)) * 86400000) AS INTEGER), 0)) AS took
        FROM backups WHERE status = 'COMPLETED' AND started_at IS NOT NULL AND completed_at IS NOT NULL) AS ended
    GROUP BY 1, 3;
INSERT INTO metric_totals (config_key, metric, bound, backups, amount)
SELECT config_key, 'SIZE',
    CASE
        WHEN size_bytes <= 1000000 THEN 1000000 WHEN size_bytes <= 10000000 THEN 10000000
        WHEN size_bytes <= 100000000 THEN 100000000 WHEN size_bytes <= 1000000000 THEN 1000000000
        WHEN size_bytes <= 10000000000 THEN 10000000000 WHEN size_bytes <= 100000000000 THEN 100000000000
        WHEN size_bytes <= 1000000000000 THEN 1000000000000
        ELSE 9223372036854775807 END,
    COUNT(*), SUM(size_bytes)
    FROM backups WHERE status = 'COMPLETED'
    GROUP BY 1, 3;
