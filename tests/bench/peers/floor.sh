# Only reads. The cat is needed: tar does not read the files when it sees that its output is /dev/null.
prepare() { :; }
backup() {
    pg_dump -Fc -Z0 >/dev/null
    tar -cf - -C "$UPLOADS" . | cat >/dev/null
}
