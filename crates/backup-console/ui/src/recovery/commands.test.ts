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
  expect(environment({ storageUrl: "file:///it's/here" })).toContain(
    "export BACKUP_STORAGE_URL='file:///it'\\''s/here'",
  )
  expect(environment({})).toContain("BACKUP_STORAGE_URL='file:///…/storage'")
})

it.each([
  [
    's3://bucket/shop',
    ["AWS_ACCESS_KEY_ID='…' AWS_SECRET_ACCESS_KEY='…'", "AWS_REGION='…'", "AWS_ENDPOINT='…'"],
  ],
  ['gs://bucket', ["GOOGLE_SERVICE_ACCOUNT='…'"]],
  ['az://backups', ["AZURE_STORAGE_ACCOUNT_NAME='…' AZURE_STORAGE_ACCOUNT_KEY='…'"]],
  ['file:///srv/backups', []],
])('has a blank for each variable by which the provider knows who asks: %s', (storageUrl, variables) => {
  const lines = environment({ storageUrl }).split('\n')
  expect(lines.slice(2)).toEqual(
    [`BACKUP_STORAGE_URL='${storageUrl}'`, ...variables].map(line => `export ${line}`),
  )
})

it('leads to the container alone where a connection string leads there', () => {
  const azure = { storageConnectionString: '***', containerName: 'backups' }
  const lines = environment(azure)
  expect(environment({ ...azure, storageUrl: 'file:///data/storage' })).toBe(lines)
  expect(environment({ ...azure, storageUrl: 'az://other/shop' })).toBe(
    `${lines}\nexport BACKUP_STORAGE_URL='az://other/shop'`,
  )
})

it('names the catalog before it is rebuilt', () => {
  expect(REBUILD.split('\n')).toEqual(["export CATALOG_URL='…'", 'backupctl catalog rebuild'])
})

it.each(['en', 'zh-TW'])('says the commands that the sheet of backupctl says: %s', language => {
  const sheet = readFileSync(
    join(import.meta.dirname, `../../../../../bins/backupctl/templates/sheet.${language}.html`),
    'utf8',
  )
  for (const commands of [CHECK, ROLES, RESTORE, REBUILD, BY_HAND]) {
    expect(sheet.split(commands).length, commands).toBe(2)
  }
})
