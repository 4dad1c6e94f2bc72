DROP TRIGGER backup_counts_on_update ON backups;
DROP TRIGGER backup_counts_on_insert_or_delete ON backups;
DROP FUNCTION backup_counts_keep();
DROP TABLE backup_counts;
DROP INDEX backups_by_trigger;
DROP INDEX backups_by_status;
CREATE INDEX backups_by_status ON backups (status, created_at, id);
DROP INDEX backups_by_grams;
DROP FUNCTION backup_grams(TEXT);
