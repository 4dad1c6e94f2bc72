import { expect, it } from 'vitest'
import { type Facts, STEPS, stepsDone } from './steps'

const empty: Facts = {
  status: { isAutoBackupEnabled: false },
  config: { notificationEmails: [], webhooks: [] },
  backups: [],
  passed: [],
}

it('has nothing done at first, and takes what somebody did here at their word', () => {
  expect([...stepsDone(empty)]).toEqual([])
  expect([...stepsDone({ ...empty, passed: ['key', 'storage'] })]).toEqual(['storage', 'key'])
})

it('takes a backup as a proof of what it saved, and of nothing else', () => {
  expect([...stepsDone({ ...empty, backups: [{ source: 'DATABASE' }] })]).toEqual(['database', 'storage'])
  const good = { source: 'FULL_SYSTEM', verifiedAt: '2026-11-24T00:00:00Z' } as const
  expect(stepsDone({ ...empty, backups: [good] }).has('verify')).toBe(true)
  expect(stepsDone({ ...empty, backups: [{ ...good, verifyError: 'damaged' }] }).has('verify')).toBe(false)
})

it('never knows by itself whether the key is kept elsewhere', () => {
  const facts: Facts = {
    status: { isAutoBackupEnabled: true, lastSuccessful: {} as never },
    config: { notificationEmails: ['ops@example.org'], webhooks: [] },
    backups: [{ source: 'FULL_SYSTEM', verifiedAt: '2026-11-24T00:00:00Z' }],
    passed: [],
  }
  expect(STEPS.filter(step => !stepsDone(facts).has(step))).toEqual(['key'])
})
