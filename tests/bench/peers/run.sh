# Lets a peer make a backup.  run.sh PEER prepare|backup [ARGUMENT]
#
# Environment: PGHOST and so on, PGDATA, PGSOCKET, UPLOADS: what to back up. STORE: where to. TMPDIR, WORK: folders of its
# own. PASSPHRASE: the key.
set -euo pipefail
. "$(dirname "$0")/$1.sh"
"${@:2}"
