# A copy of the cluster's files, without the uploads. No WAL is archived: only the backup itself is measured.
export PGBACKREST_STANZA=bench PGBACKREST_REPO1_PATH=$STORE
export PGBACKREST_REPO1_CIPHER_TYPE=aes-256-cbc PGBACKREST_REPO1_CIPHER_PASS=$PASSPHRASE
export PGBACKREST_PG1_PATH=$PGDATA PGBACKREST_PG1_SOCKET_PATH=$PGSOCKET PGBACKREST_PG1_PORT=$PGPORT
export PGBACKREST_PG1_USER=$PGUSER
export PGBACKREST_LOCK_PATH=$WORK/lock PGBACKREST_LOG_LEVEL_FILE=off PGBACKREST_LOG_LEVEL_CONSOLE=error
prepare() { pgbackrest --no-config stanza-create; }
backup() {
    pgbackrest --no-config --type=full --compress-type="$1" --process-max=2 --start-fast --no-archive-check \
        --repo1-retention-full=1 backup
}
