-- The hours in which a schedule's backups may start, by its zone's clock, such as 22:00-06:00; NULL: all.
ALTER TABLE backup_schedules ADD COLUMN start_window TEXT;
