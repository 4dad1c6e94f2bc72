import { expect, it } from 'vitest'
import type { BackupConfig } from '@/api/schema'
import { changeOf, isOverridden, valuesOf } from './config'

const config = {
  key: 'default',
  storageUrl: null,
  storageConnectionString: '***',
  containerName: 'backups',
  compressionEnabled: true,
  compressionAlgorithm: 'gzip',
  databaseHost: 'db',
  databasePort: 5432,
  databaseName: 'shop',
  databaseUser: null,
  databasePassword: '***',
  uploadDir: '/srv/uploads',
  encryptionEnabled: true,
  encryptionKey: '***',
  notifyOnSuccess: false,
  notifyOnFailure: true,
  notificationEmails: ['ops@example.org'],
  notificationLanguage: 'zh-TW',
  quotaGigabytes: 100,
  quotaPolicy: 'WARN',
  usageAlertPercents: [80, 90, 95],
  verifyWithinDays: null,
  maxConcurrentJobs: null,
  overrides: ['databaseHost', 'databasePassword', 'notificationEmails'],
} as unknown as BackupConfig

const before = valuesOf(config)

it('never shows a secret, and never sends one that nobody typed', () => {
  expect(JSON.stringify(before)).not.toContain('***')
  expect(changeOf(before, ['databasePassword', 'encryptionKey', 'storageConnectionString'])).toEqual({})
  expect(changeOf({ ...before, databasePassword: ' new ' }, ['databasePassword'])).toEqual({
    databasePassword: ' new ',
  })
})

it('sends what was changed alone; what is emptied goes back to the environment', () => {
  expect(changeOf(before, [])).toEqual({})
  const values = { ...before, databaseHost: '', quotaGigabytes: '' as const, databasePort: 5433 }
  expect(changeOf(values, ['databaseHost', 'databasePort', 'quotaGigabytes'])).toEqual({
    databaseHost: null,
    databasePort: 5433,
    quotaGigabytes: null,
  })
  expect(changeOf({ ...before, notificationEmails: [] }, ['notificationEmails'])).toEqual({
    notificationEmails: [],
  })
})

it('sends percents ascending, each once', () => {
  const values = { ...before, usageAlertPercents: ['95', '50', '95', '100'] }
  expect(changeOf(values, ['usageAlertPercents'])).toEqual({ usageAlertPercents: [50, 95, 100] })
})

it('tells what is said here from what the environment says', () => {
  expect(isOverridden(config, 'databaseHost')).toBe(true)
  expect(isOverridden(config, 'databasePassword')).toBe(true)
  expect(isOverridden(config, 'databasePort')).toBe(false)
  // The environment has no addresses.
  expect(isOverridden(config, 'notificationEmails')).toBe(false)
})
