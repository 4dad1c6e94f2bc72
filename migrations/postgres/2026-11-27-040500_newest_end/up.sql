-- Which backup ended last in some way, and which one of those that are made of another is the newest.
CREATE INDEX backups_by_end ON backups (status, completed_at, id) WHERE NOT deleting AND consolidated_from IS NULL;
CREATE INDEX backups_made_of_others ON backups (status, created_at, id) WHERE NOT deleting AND consolidated_from IS NOT NULL;
