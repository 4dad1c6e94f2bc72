DROP INDEX backups_by_grams;
CREATE OR REPLACE FUNCTION backup_grams(TEXT) RETURNS TSVECTOR LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
    SELECT array_to_tsvector(array_agg(DISTINCT substr($1, i, 3))) FROM generate_series(1, length($1)) AS i
$$;
CREATE INDEX backups_by_grams ON backups USING gin (backup_grams(search_text)) WITH (fastupdate = off);
