#!/bin/sh
# Run once, when PostgreSQL's data folder is made: the catalog's database, and a small application to back up.
set -e
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" \
    -v app_password="$APP_PASSWORD" -v catalog_password="$CATALOG_PASSWORD" <<'SQL'
CREATE ROLE catalog LOGIN PASSWORD :'catalog_password';
CREATE DATABASE catalog OWNER catalog;
-- To restore under another name, and to try restores, it makes databases.
CREATE ROLE app LOGIN CREATEDB PASSWORD :'app_password';
CREATE DATABASE app OWNER app;
\connect app
SET ROLE app;
CREATE TABLE notes (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, body text NOT NULL);
INSERT INTO notes (body) SELECT 'note ' || n FROM generate_series(1, 1000) AS n;
SQL
