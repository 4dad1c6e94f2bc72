-- Dates are what most searches are for, and three letters of a date are in nearly every row: a date is a gram of its own, as
-- the ten letters from where a year and a month begin, so that it is found by what has been typed of it, from the month on.
DROP INDEX backups_by_grams;
CREATE OR REPLACE FUNCTION backup_grams(TEXT) RETURNS TSVECTOR LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
    SELECT array_to_tsvector(array_agg(DISTINCT substr($1, i, n)))
    FROM generate_series(1, length($1)) AS i, (VALUES (3), (10)) AS lengths (n)
    WHERE n = 3 OR (substr($1, i + 4, 1) = '-' AND substr($1, i, 7) ~ '^[12][0-9]{3}-(0[1-9]|1[0-2])$')
$$;
CREATE INDEX backups_by_grams ON backups USING gin (backup_grams(search_text)) WITH (fastupdate = off);
