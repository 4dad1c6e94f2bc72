-- Backups that a configuration export calls protected and that a rebuild has not brought back, such as those whose passphrase
-- is not at hand yet: they are protected once they have a row, and exports name them until then.
CREATE TABLE protected_unseen (
    id TEXT NOT NULL PRIMARY KEY
) STRICT;
