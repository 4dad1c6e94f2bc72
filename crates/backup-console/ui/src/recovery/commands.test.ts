import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { BY_HAND, CHECK, environment, REBUILD, RESTORE, ROLES } from './commands'

it('leads to the storage, and leaves secrets to be filled in', () => {
  expect(environment({ storageConnectionString: '***', containerName: 'backups' })).toBe(
    [
      "export BACKUP_ENCRYPTION_KEY='…'",
      "export BACKUP_ENCRYPTION_KEY_PREVIOUS='…,…'",
      "export AZURE_STORAGE_CONNECTION_STRING='…'",
      "export BACKUP_CONTAINER_NAME='backups'",
    ].join('\n'),
  )
  expect(environment({ storageUrl: "s3://it's/here" })).toContain(
    "export BACKUP_STORAGE_URL='s3://it'\\''s/here'",
  )
  expect(environment({})).toContain("BACKUP_STORAGE_URL='file:///…/storage'")
})

it('says the commands that the sheet of backupctl says', () => {
  const sheet = readFileSync(
    join(import.meta.dirname, '../../../../../bins/backupctl/templates/sheet.en.html'),
    'utf8',
  )
  for (const commands of [CHECK, ROLES, RESTORE, REBUILD, BY_HAND]) {
    expect(sheet.split(commands).length, commands).toBe(2)
  }
})
