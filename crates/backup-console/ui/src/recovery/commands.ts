import type { BackupConfig } from '@/api/schema'

/** What stands in place of a secret, for people to fill in. */
const BLANK = '…'

function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`
}

function blanks(...names: string[]): string {
  return `export ${names.map(name => `${name}='${BLANK}'`).join(' ')}`
}

type Place = Pick<BackupConfig, 'storageUrl' | 'storageConnectionString' | 'containerName'>

/** The variables that lead to a configuration's storage. Never a secret: those are filled in by hand. */
export function environment({ storageUrl, storageConnectionString, containerName }: Place): string {
  const lines = [
    `export BACKUP_ENCRYPTION_KEY='${BLANK}'`,
    `export BACKUP_ENCRYPTION_KEY_PREVIOUS='${BLANK},${BLANK}'`,
  ]
  if (storageConnectionString) {
    lines.push(blanks('AZURE_STORAGE_CONNECTION_STRING'))
    lines.push(`export BACKUP_CONTAINER_NAME=${quoted(containerName ?? 'backups')}`)
    // Beside it a folder counts for nothing.
    if (storageUrl?.startsWith('az://')) lines.push(`export BACKUP_STORAGE_URL=${quoted(storageUrl)}`)
  } else if (storageUrl) {
    lines.push(`export BACKUP_STORAGE_URL=${quoted(storageUrl)}`, ...identity(storageUrl))
  } else {
    lines.push(`export BACKUP_STORAGE_URL='file:///${BLANK}/storage'`)
  }
  return lines.join('\n')
}

/** The variables by which the provider of a storage knows who asks; what they hold is not known here. */
function identity(url: string): string[] {
  if (url.startsWith('s3://')) {
    return [
      blanks('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'),
      blanks('AWS_REGION'),
      blanks('AWS_ENDPOINT'),
    ]
  }
  if (url.startsWith('gs://')) return [blanks('GOOGLE_SERVICE_ACCOUNT')]
  if (url.startsWith('az://')) return [blanks('AZURE_STORAGE_ACCOUNT_NAME', 'AZURE_STORAGE_ACCOUNT_KEY')]
  return []
}

export const CHECK = `backupctl key check
backupctl list`

/** The role that logs in is left as it is; nothing in the file can be a command of psql's own. */
export const ROLES = `export PGHOST='${BLANK}' PGPORT=5432 PGUSER=postgres PGPASSWORD='${BLANK}'
{ printf '\\\\restrict %s\\n' "$(openssl rand -hex 16)"
  backupctl extract ID database/globals.sql | grep -vE "^(CREATE|ALTER) ROLE \\"?$PGUSER\\"?[ ;]"
} | psql -X -q -d postgres`

export const RESTORE = `backupctl verify ID
export BACKUP_RESTORE_DATABASE='postgres://USER:PASSWORD@HOST:5432/NEW_DATABASE'
backupctl restore ID \\
    --to-files /srv/restored/uploads \\
    --to-config /srv/restored/config`

export const REBUILD = `export CATALOG_URL='${BLANK}'
backupctl catalog rebuild`

/** Without any program of ours: the archive is `F`. */
export const BY_HAND = `KEY=$(openssl kdf -keylen 32 -kdfopt pass:"$BACKUP_ENCRYPTION_KEY" -kdfopt salt:backup-salt-v1 \\
      -kdfopt n:16384 -kdfopt r:8 -kdfopt p:1 -kdfopt maxmem_bytes:67108864 -binary SCRYPT | xxd -p -c 64)
mkdir restored
tail -c +17 F | openssl enc -d -aes-256-cbc -K $KEY -iv $(head -c 16 F | xxd -p) | tar xzf - -C restored
createdb NEW_DATABASE
cat restored/database/database.dump/* | pg_restore --exit-on-error -d NEW_DATABASE`
