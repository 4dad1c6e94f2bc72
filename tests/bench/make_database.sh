#!/bin/bash
# Fills the empty database that PGHOST, PGDATABASE and so on name, with about 1.5 GB × SCALE: pgbench's tables, orders
# with JSON and prose, incompressible blobs, two hundred small tables.  make_database.sh SCALE
set -euo pipefail
cd "$(dirname "$0")"
times() { awk "BEGIN { n = int($1 * $SCALE); print (n > $2 ? n : $2) }"; }
sql() { psql -qX -v ON_ERROR_STOP=1 "$@"; }
SCALE=$1

pgbench --quiet -i -I dtg -s "$(times 50 1)"
# pgbench's own filler is blank.
sql -c "UPDATE pgbench_accounts SET abalance = hashint4(aid) % 100000, filler = 'acct ' || (aid::bigint * 7919 % 100003)"
pgbench --quiet -i -I p -s "$(times 50 1)"

sql -c "CREATE TABLE orders (id bigint, customer_id int, email text, status text, created_at timestamptz,
                             total numeric(12,2), payload jsonb, note text)"
python3 make_rows.py orders 1 "$(times 700000 100)" | sql -c "COPY orders FROM stdin"
sql -c "ALTER TABLE orders ADD PRIMARY KEY (id)" -c "CREATE INDEX ON orders (customer_id)" \
    -c "CREATE INDEX ON orders (created_at)"

sql -c "CREATE TABLE blobs (id int PRIMARY KEY, name text, data bytea)" \
    -c "ALTER TABLE blobs ALTER data SET STORAGE EXTERNAL"
python3 make_rows.py blobs "$(times 3000 10)" | sql -c "COPY blobs FROM stdin"
python3 make_rows.py small | sql >/dev/null
