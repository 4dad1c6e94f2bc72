export RESTIC_REPOSITORY=$STORE RESTIC_PASSWORD=$PASSPHRASE RESTIC_CACHE_DIR=$WORK/cache
prepare() { restic init -q; }
backup() {
    pg_dump -Fc -Z0 | restic backup -q --stdin --stdin-filename database.dump
    restic backup -q "$UPLOADS"
}
