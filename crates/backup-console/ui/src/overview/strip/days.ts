import type { Backup, Firing, Schedule } from '@/api/schema'

/** How many days a strip shows. */
export const DAYS = 30

/** How late a schedule may be before nobody seems to be there to fire it. */
const LATE = 10 * 60_000

/** Whether what was due then has waited for so long that nobody seems to be there to fire it. */
export function isLate(dueAt: string, now: number): boolean {
  return Date.parse(dueAt) < now - LATE
}

/** What a day was like, the worst first. */
export type DayState = 'failed' | 'missed' | 'partly' | 'skipped' | 'running' | 'good' | 'gone' | 'none'

export interface Day {
  /** `YYYY-MM-DD` in the schedule's zone. */
  day: string
  state: DayState
  good: number
  failed: number
  running: number
  /** Runs that nobody was there for, or that were passed over. */
  missed: number
  skipped: number
  /** Runs whose backup is no longer kept. */
  gone: number
}

type Counts = Omit<Day, 'day' | 'state'>

/** The day of a moment in a time zone, `YYYY-MM-DD`. */
export function dayIn(timeZone: string, moment: number): string {
  // Sweden writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat('sv-SE', { timeZone }).format(moment)
}

/** The day so many days after another. */
export function dayAfter(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`)
  date.setUTCDate(date.getUTCDate() + days)
  return date.toISOString().slice(0, 10)
}

/**
 * The last days of a schedule, oldest first. What is known of a run is its backup; where that has expired since, its firing;
 * what nobody was there for, the firing that stood for it later.
 */
export function daysOf(
  schedule: Pick<Schedule, 'timezone' | 'isEnabled' | 'nextRunAt'>,
  firings: Pick<Firing, 'scheduledAt' | 'outcome' | 'backupId' | 'missed'>[],
  backups: Pick<Backup, 'id' | 'status' | 'createdAt' | 'consolidatedFrom'>[],
  now: number,
): Day[] {
  const today = dayIn(schedule.timezone, now)
  const counts = new Map<string, Counts>()
  for (let back = DAYS - 1; back >= 0; back -= 1) {
    counts.set(dayAfter(today, -back), { good: 0, failed: 0, running: 0, missed: 0, skipped: 0, gone: 0 })
  }
  const count = (day: string, what: keyof Counts, more = 1) => {
    const of = counts.get(day)
    if (of) of[what] += more
  }
  const day = (moment: string) => dayIn(schedule.timezone, Date.parse(moment))

  for (const backup of backups) {
    // What is made of another is no run.
    if (backup.consolidatedFrom) continue
    const what =
      backup.status === 'COMPLETED'
        ? 'good'
        : backup.status === 'FAILED' || backup.status === 'CANCELLED'
          ? 'failed'
          : 'running'
    count(day(backup.createdAt), what)
  }
  const known = new Set(backups.map(backup => backup.id))
  const oldestFirst = firings.toSorted((a, b) => a.scheduledAt.localeCompare(b.scheduledAt))
  oldestFirst.forEach((firing, index) => {
    const at = day(firing.scheduledAt)
    if (firing.outcome === 'SKIPPED') count(at, 'skipped')
    else if (!firing.backupId || !known.has(firing.backupId)) count(at, 'gone')
    if (firing.missed === 0) return
    const before = oldestFirst[index - 1]
    const between = before ? daysBetween(day(before.scheduledAt), at) : []
    if (between.length === 0) count(at, 'missed', firing.missed)
    for (const missed of between) count(missed, 'missed')
  })
  if (schedule.isEnabled && schedule.nextRunAt && isLate(schedule.nextRunAt, now)) {
    for (let late = day(schedule.nextRunAt); late <= today; late = dayAfter(late, 1)) count(late, 'missed')
  }
  return [...counts].map(([each, of]) => ({ day: each, state: stateOf(of), ...of }))
}

/** The days after the one and before the other; of a long time only as many as are shown. */
function daysBetween(from: string, to: string): string[] {
  const days: string[] = []
  for (let each = dayAfter(to, -1); each > from && days.length < DAYS; each = dayAfter(each, -1)) {
    days.push(each)
  }
  return days
}

function stateOf({ good, failed, running, missed, skipped, gone }: Counts): DayState {
  if (failed > 0) return good > 0 ? 'partly' : 'failed'
  if (missed > 0) return good > 0 ? 'partly' : 'missed'
  if (running > 0) return 'running'
  if (good > 0) return 'good'
  if (gone > 0) return 'gone'
  return skipped > 0 ? 'skipped' : 'none'
}
