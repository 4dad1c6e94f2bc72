import { expect, it } from 'vitest'
import { DAYS, dayIn, daysOf } from './days'

const NOW = Date.parse('2026-03-20T12:00:00Z')
const schedule = { timezone: 'Asia/Taipei', isEnabled: true, nextRunAt: '2026-03-20T18:00:00Z' }

/** Fires each day at two o'clock in the morning in Taipei, which is the day before in UTC. */
const at = (day: number) => `2026-03-${String(day - 1).padStart(2, '0')}T18:00:00Z`
const firing = (day: number, more = {}) => ({
  scheduledAt: at(day),
  outcome: 'STARTED' as const,
  backupId: `b${day}`,
  missed: 0,
  ...more,
})
const backup = (day: number, status: 'COMPLETED' | 'FAILED' | 'IN_PROGRESS' = 'COMPLETED') => ({
  id: `b${day}`,
  status,
  createdAt: at(day),
})
const states = (...given: Parameters<typeof daysOf>) =>
  Object.fromEntries(
    daysOf(...given)
      .filter(day => day.state !== 'none')
      .map(day => [day.day.slice(5), day.state]),
  )

it('counts days as the zone of the schedule has them', () => {
  expect(dayIn('Asia/Taipei', Date.parse('2026-03-19T18:00:00Z'))).toBe('2026-03-20')
  const days = daysOf(schedule, [firing(20)], [backup(20)], NOW)
  expect(days).toHaveLength(DAYS)
  expect(days.at(-1)).toMatchObject({ day: '2026-03-20', state: 'good', good: 1 })
})

it('takes what is made of another backup for no run', () => {
  const made = { ...backup(20, 'FAILED'), id: 'made', consolidatedFrom: 'b20' }
  expect(states(schedule, [firing(20)], [made, backup(20)], NOW)).toEqual({ '03-20': 'good' })
})

it('shows what failed, and what ran while its backup is no longer kept', () => {
  const firings = [firing(20), firing(19), firing(18), firing(17, { outcome: 'SKIPPED', backupId: null })]
  expect(states(schedule, firings, [backup(20, 'IN_PROGRESS'), backup(19, 'FAILED')], NOW)).toEqual({
    '03-17': 'skipped',
    '03-18': 'gone',
    '03-19': 'failed',
    '03-20': 'running',
  })
})

it('shows the days that nobody was there, once somebody is there again', () => {
  const firings = [firing(20, { outcome: 'CAUGHT_UP', missed: 3 }), firing(16)]
  expect(states(schedule, firings, [backup(20), backup(16)], NOW)).toEqual({
    '03-16': 'good',
    '03-17': 'missed',
    '03-18': 'missed',
    '03-19': 'missed',
    '03-20': 'good',
  })
})

it('shows the days that nobody is there while nobody is', () => {
  const late = { ...schedule, nextRunAt: at(19) }
  expect(states(late, [firing(18)], [backup(18)], NOW)).toEqual({
    '03-18': 'good',
    '03-19': 'missed',
    '03-20': 'missed',
  })
  expect(states({ ...late, isEnabled: false }, [firing(18)], [backup(18)], NOW)).toEqual({ '03-18': 'good' })
})

it('does not call a day good that was so in part', () => {
  const again = { id: 'again', status: 'COMPLETED' as const, createdAt: '2026-03-20T01:00:00Z' }
  expect(states(schedule, [firing(20)], [backup(20, 'FAILED'), again], NOW)).toEqual({ '03-20': 'partly' })
})
