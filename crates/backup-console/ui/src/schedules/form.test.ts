import { expect, it } from 'vitest'
import type { Schedule } from '@/api/schema'
import { changesOf, creationOf, scheduleSchema, valuesOf } from './form'

const schedule = {
  ...valuesOf(undefined),
  id: '01a21a8f-0000-7000-8000-000000000000',
  name: '每日完整備份',
  description: 'of the shop',
  keepDaily: 7,
  keepWeekly: null,
  startWindow: '22:00-06:00',
  _count: { backups: 3 },
} as unknown as Schedule

it('sends what was changed and nothing else', () => {
  const values = valuesOf(schedule)
  expect(changesOf(schedule, values)).toEqual({})
  const emptied = { description: '', startWindow: '' }
  expect(changesOf(schedule, { ...values, maxBackups: 5, keepDaily: null, ...emptied })).toEqual({
    maxBackups: 5,
    keepDaily: null,
    description: null,
    startWindow: null,
  })
  expect(creationOf(values)).toMatchObject({ description: 'of the shop', startWindow: '22:00-06:00' })
  expect(creationOf({ ...values, ...emptied })).not.toHaveProperty('startWindow')
})

it('begins with what the specification proposes, but for the name', () => {
  const { success, error } = scheduleSchema.safeParse(valuesOf(undefined))
  expect(success).toBe(false)
  expect(error?.issues.map(issue => issue.path.join())).toEqual(['name'])
})

it('refuses numbers that the server would refuse', () => {
  const values = {
    ...valuesOf(schedule),
    retentionDays: 0,
    maxBackups: 1.5,
    keepYearly: 1001,
    verifyPercent: 101,
    consolidateEvery: 201,
    startWindow: '22:00-24:00',
  }
  const { error } = scheduleSchema.safeParse(values)
  expect(error?.issues.map(issue => issue.path.join())).toEqual([
    'startWindow',
    'retentionDays',
    'maxBackups',
    'keepYearly',
    'verifyPercent',
    'consolidateEvery',
  ])
})
