ALTER TABLE backup_schedules DROP COLUMN start_window;
