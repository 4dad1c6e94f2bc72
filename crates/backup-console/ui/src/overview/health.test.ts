import { expect, it } from 'vitest'
import type { Status } from '@/api/schema'
import { assessHealth } from './health'

const backup = (createdAt: string) => ({ createdAt }) as NonNullable<Status['lastSuccessful']>
const alert = (severity: string, more = {}) => ({ severity, ...more }) as Status['alerts'][number]

const NOW = Date.parse('2026-11-27T12:00:00Z')
const DUE = '2026-11-27T02:00:00Z'

const WELL: Status = {
  lastSuccessful: backup('2026-11-27T02:00:00Z'),
  lastFailed: backup('2026-11-26T02:00:00Z'),
  nextScheduled: null,
  isAutoBackupEnabled: true,
  activeBackups: 0,
  queuedBackups: 0,
  alerts: [],
  storage: { totalSizeBytes: 1, backupCount: 1, quotaBytes: 100, usagePercent: 80 },
}

it('says that all is well only where nothing speaks against it', () => {
  expect(assessHealth(WELL, NOW)).toEqual({ level: 'well', reasons: [] })
  expect(assessHealth({ ...WELL, lastFailed: null }, NOW).level).toBe('well')
})

it.each([
  ['noBackup', { lastSuccessful: null }],
  ['lastFailed', { lastFailed: backup('2026-11-27T03:00:00Z') }],
  ['notFired', { nextScheduled: DUE }],
  ['critical', { alerts: [alert('CRITICAL', { acknowledgedAt: '2026-11-27T03:00:00Z' })] }],
])('sees a risk: %s', (key, change) => {
  const { level, reasons } = assessHealth({ ...WELL, ...change }, NOW)
  expect(level).toBe('risk')
  expect(reasons.map(reason => reason.key)).toEqual([key])
})

it.each([
  ['warning', { alerts: [alert('WARNING')] }],
  ['noSchedule', { isAutoBackupEnabled: false }],
  ['storage', { storage: { ...WELL.storage, usagePercent: 80.1 } }],
])('asks for attention: %s', (key, change) => {
  const { level, reasons } = assessHealth({ ...WELL, ...change }, NOW)
  expect(level).toBe('attention')
  expect(reasons.map(reason => reason.key)).toEqual([key])
})

it('does not shout about what somebody knows of', () => {
  const alerts = [alert('WARNING', { acknowledgedAt: '2026-11-27T03:00:00Z' }), alert('INFO')]
  expect(assessHealth({ ...WELL, alerts }, NOW).level).toBe('well')
})

it('takes no schedule for forgotten that is about to fire, or is held back', () => {
  const due = { ...WELL, nextScheduled: DUE }
  expect(assessHealth(due, Date.parse(DUE) + 600_000).level).toBe('well')
  expect(assessHealth(due, Date.parse(DUE) + 600_001)).toEqual({
    level: 'risk',
    reasons: [{ key: 'notFired', dueAt: DUE }],
  })
  const pause = { pausedAt: DUE, reason: 'moving' } as Status['pause']
  expect(assessHealth({ ...due, pause }, NOW).level).toBe('well')
})
