DROP TRIGGER backup_grams_on_update;
