DROP TRIGGER backup_steps_on_update ON backups;
DROP TRIGGER backup_steps_on_insert_or_delete ON backups;
DROP FUNCTION backup_steps_keep();
DROP TABLE backup_steps;
DROP INDEX backups_by_kind;
CREATE INDEX backups_by_trigger ON backups ("trigger", created_at, id);
DROP INDEX backups_by_schedule;
CREATE INDEX backups_by_schedule ON backups (schedule_id, created_at, id, deleting, status);
DROP INDEX backups_by_completed_asc;
CREATE INDEX backups_by_completed_asc ON backups (completed_at ASC NULLS LAST, id)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key);
DROP INDEX backups_by_completed_desc;
CREATE INDEX backups_by_completed_desc ON backups (completed_at DESC NULLS LAST, id DESC)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key);
DROP INDEX backups_by_size_asc;
CREATE INDEX backups_by_size_asc ON backups (size_bytes ASC NULLS LAST, id)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key);
DROP INDEX backups_by_size_desc;
CREATE INDEX backups_by_size_desc ON backups (size_bytes DESC NULLS LAST, id DESC)
    INCLUDE (deleting, status, backup_type, source, "trigger", config_key);
DROP INDEX backups_list;
CREATE INDEX backups_list ON backups (created_at, id, deleting, status, backup_type, source, "trigger", config_key);
