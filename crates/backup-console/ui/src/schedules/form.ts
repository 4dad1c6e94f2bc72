import { z } from 'zod'
import type { CreateSchedule, Schedule, UpdateSchedule } from '@/api/schema'
import { SOURCES, TYPES } from '@/backups/search'
import { KEEPS } from './retention'
import { VERIFY_LEVELS, VERIFY_WHEN } from './verification'

/** The numbers that the server takes. */
export const RANGES = {
  retentionDays: [1, 3650],
  maxBackups: [1, 1000],
  keep: [0, 1000],
  verifyPercent: [1, 100],
  consolidateEvery: [1, 200],
} as const

/** Characters that the server takes. */
export const MAX_NAME = 100
export const MAX_DESCRIPTION = 500

const within = ([min, max]: readonly [number, number]) => z.int().min(min).max(max)
const keep = within(RANGES.keep).nullable()
/** Two times of the day, or nothing. */
const WINDOW = /^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$/

export const scheduleSchema = z.object({
  name: z.string().trim().min(1).max(MAX_NAME),
  description: z.string().max(MAX_DESCRIPTION),
  backupType: z.enum(TYPES),
  backupSource: z.enum(SOURCES),
  configKey: z.string(),
  cronExpression: z.string().trim().min(1),
  timezone: z.string().min(1),
  startWindow: z.string().trim().regex(WINDOW),
  retentionDays: within(RANGES.retentionDays),
  maxBackups: within(RANGES.maxBackups),
  keepHourly: keep,
  keepDaily: keep,
  keepWeekly: keep,
  keepMonthly: keep,
  keepYearly: keep,
  verifyWhen: z.enum(VERIFY_WHEN),
  verifyLevel: z.enum(VERIFY_LEVELS),
  verifyPercent: within(RANGES.verifyPercent),
  consolidateEvery: within(RANGES.consolidateEvery).nullable(),
  isEnabled: z.boolean(),
})

export type ScheduleValues = z.infer<typeof scheduleSchema>

/** A new schedule as the specification proposes it. */
const PROPOSED: ScheduleValues = {
  name: '',
  description: '',
  backupType: 'FULL',
  backupSource: 'FULL_SYSTEM',
  configKey: 'default',
  cronExpression: '0 2 * * *',
  timezone: 'Asia/Taipei',
  startWindow: '',
  retentionDays: 30,
  maxBackups: 10,
  keepHourly: null,
  keepDaily: null,
  keepWeekly: null,
  keepMonthly: null,
  keepYearly: null,
  verifyWhen: 'NEVER',
  verifyLevel: 'RESTORE',
  verifyPercent: 10,
  consolidateEvery: null,
  isEnabled: true,
}

/** Texts that a schedule need not have. */
const TEXTS = ['description', 'startWindow'] as const

/** What the form begins with. */
export function valuesOf(schedule: Schedule | undefined): ScheduleValues {
  if (!schedule) return PROPOSED
  const keeps = Object.fromEntries(KEEPS.map(each => [each, schedule[each] ?? null]))
  const texts = Object.fromEntries(TEXTS.map(each => [each, schedule[each] ?? '']))
  return { ...PROPOSED, ...pick(schedule), ...keeps, ...texts }
}

function pick(schedule: Schedule): Partial<ScheduleValues> {
  return Object.fromEntries(Object.keys(PROPOSED).map(name => [name, schedule[name as keyof ScheduleValues]]))
}

/** Of the values those that differ from what the schedule has: two who change different fields both get their way. */
export function changesOf(schedule: Schedule, values: ScheduleValues): UpdateSchedule {
  const before = valuesOf(schedule)
  const changed = Object.entries(values).filter(
    ([name, value]) => value !== before[name as keyof ScheduleValues],
  )
  return Object.fromEntries(
    changed.map(([name, value]) => [name, value === '' && TEXTS.some(each => each === name) ? null : value]),
  )
}

/** A new schedule as it is sent. */
export function creationOf({ description, startWindow, ...values }: ScheduleValues): CreateSchedule {
  return { ...values, ...(description && { description }), ...(startWindow && { startWindow }) }
}
