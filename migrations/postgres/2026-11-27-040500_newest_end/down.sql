DROP INDEX backups_made_of_others;
DROP INDEX backups_by_end;
