-- The newest pause of the whole system: it lasts until it is resumed.
CREATE TABLE system_pause (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    paused_at TEXT NOT NULL,
    paused_by TEXT REFERENCES users (id) ON DELETE SET NULL,
    reason TEXT NOT NULL,
    resumed_at TEXT
) STRICT;
