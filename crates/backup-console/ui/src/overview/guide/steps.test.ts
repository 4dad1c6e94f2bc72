import { expect, it } from 'vitest'
import { type Facts, STEPS, stepsDone } from './steps'

const AT = '2026-11-24T00:00:00Z'

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
})

it('takes a drill that passed as a proof of a restore, and nothing less', () => {
  const proves = (...backups: Facts['backups']) => stepsDone({ ...empty, backups }).has('verify')
  const drilled = { source: 'FULL_SYSTEM', verifiedAt: AT, verifyLevel: 'RESTORE' } as const
  expect(proves(drilled)).toBe(true)
  expect(proves({ ...drilled, verifyError: 'damaged' })).toBe(false)
  expect(proves({ ...drilled, verifyLevel: 'CHECKSUM' }, { ...drilled, verifyLevel: 'CONTENT' })).toBe(false)
  expect(proves({ ...drilled, verifyLevel: 'CHECKSUM' }, drilled)).toBe(true)
})

it('never knows by itself whether the key is kept elsewhere', () => {
  const facts: Facts = {
    status: { isAutoBackupEnabled: true, lastSuccessful: {} as never },
    config: { notificationEmails: ['ops@example.org'], webhooks: [] },
    backups: [{ source: 'FULL_SYSTEM', verifiedAt: AT, verifyLevel: 'RESTORE' }],
    passed: [],
  }
  expect(STEPS.filter(step => !stepsDone(facts).has(step))).toEqual(['key'])
})
