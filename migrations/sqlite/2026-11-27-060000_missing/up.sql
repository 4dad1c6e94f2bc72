-- What the storage was found to lack of a backup, or of one that it builds on: over once all of that is there again. What a
-- verification finds stands in verify_error.
ALTER TABLE backups ADD COLUMN missing TEXT;
CREATE INDEX backups_missing ON backups (config_key, created_at, id) WHERE missing IS NOT NULL;
-- What the reconciliation has written into verify_error until now, by the words that only it had. No verification ran then.
UPDATE backups SET missing = verify_error, verify_error = NULL, verified_at = NULL, verify_level = NULL
    WHERE verify_error LIKE '%cannot be restored: its receipt is no longer in the storage as it was written'
       OR verify_error LIKE '%cannot be restored: its archive is no longer in the storage as it was written';
