ALTER TABLE backup_schedules DROP COLUMN consolidate_every;
DROP INDEX backups_by_origin;
ALTER TABLE backups DROP COLUMN consolidated_from;
