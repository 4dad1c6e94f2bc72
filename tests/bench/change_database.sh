#!/bin/bash
# Changes the database that make_database.sh filled: of the orders the given part, picked at random, is updated, and as many
# are inserted.  change_database.sh PERCENT ROUND
set -euo pipefail
cd "$(dirname "$0")"
PERCENT=$1 ROUND=$2
sql() { psql -qXAt -v ON_ERROR_STOP=1 "$@"; }

last=$(sql -c "SELECT max(id) FROM orders")
count=$(sql -c "SELECT greatest(1, (count(*) * $PERCENT / 100)::bigint) FROM orders")
sql -c "UPDATE orders SET status = 'done', total = total + 1, payload = payload || jsonb_build_object('changed', $ROUND)
        WHERE abs(hashint8extended(id, $ROUND) % 10000) < $PERCENT * 100"
python3 make_rows.py orders $((last + 1)) "$count" | sql -c "COPY orders FROM stdin"
sql -c "CHECKPOINT"
