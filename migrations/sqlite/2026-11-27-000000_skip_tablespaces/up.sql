-- Whether everything is restored into the database's own tablespace.
ALTER TABLE restore_records ADD COLUMN skip_tablespaces INTEGER NOT NULL DEFAULT 0;
