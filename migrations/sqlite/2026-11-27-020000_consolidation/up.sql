-- The backup that a FULL one is made of. It must not go while that is done.
ALTER TABLE backups ADD COLUMN consolidated_from TEXT;
CREATE INDEX backups_by_origin ON backups (consolidated_from, status) WHERE consolidated_from IS NOT NULL;
-- How many backups of a schedule may build on each other before a FULL one is made of the newest.
ALTER TABLE backup_schedules ADD COLUMN consolidate_every INTEGER CHECK (consolidate_every BETWEEN 1 AND 200);
