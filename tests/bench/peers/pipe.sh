# What a careful administrator writes in an hour.
prepare() { :; }
sealed() { zstd -q -3 -T2 | openssl enc -aes-256-cbc -pbkdf2 -pass env:PASSPHRASE -out "$STORE/$1"; }
backup() {
    pg_dump -Fc -Z0 | sealed database
    tar -cf - -C "$UPLOADS" . | sealed files
}
