// Rhythms that can be put together without knowing cron, and their expressions.

/** What the rhythm counts in. */
export const UNITS = ['MINUTES', 'HOURS', 'DAYS', 'WEEKS', 'MONTHS'] as const
export type Unit = (typeof UNITS)[number]

/** Intervals that divide their hour or day, so that they go on evenly. */
export const MINUTE_STEPS = [5, 10, 15, 20, 30] as const
export const HOUR_STEPS = [1, 2, 3, 4, 6, 8, 12] as const

/** The days of the week as cron counts them, from Monday on. */
export const WEEKDAYS = [1, 2, 3, 4, 5, 6, 0] as const

/** The last day of the month, whichever that is. */
export const LAST_DAY = 'L'

/** A regular rhythm. Of its fields only those count that its unit has. */
export interface Rhythm {
  unit: Unit
  /** MINUTES, HOURS: how many of them. */
  every: number
  /** WEEKS: 0 is Sunday; at least one. */
  weekdays: number[]
  /** MONTHS: 1 to 31. */
  day: number | typeof LAST_DAY
  /** DAYS, WEEKS, MONTHS. */
  hour: number
  /** All but MINUTES. */
  minute: number
}

/** Every day in the small hours, when few people work. */
export const NIGHTLY: Rhythm = { unit: 'DAYS', every: 1, weekdays: [0], day: 1, hour: 2, minute: 0 }

/** The expression of a rhythm. */
export function writeCron({ unit, every, weekdays, day, hour, minute }: Rhythm): string {
  switch (unit) {
    case 'MINUTES':
      return `*/${every} * * * *`
    case 'HOURS':
      return `${minute} ${every === 1 ? '*' : `*/${every}`} * * *`
    case 'DAYS':
      return `${minute} ${hour} * * *`
    case 'WEEKS':
      return `${minute} ${hour} * * ${writeWeekdays(weekdays)}`
    case 'MONTHS':
      return `${minute} ${hour} ${day} * *`
  }
}

/** The rhythm of an expression; `null` where it is none of those that can be put together. */
export function readCron(expression: string): Rhythm | null {
  const fields = expression.trim().split(/\s+/)
  const [minutes = '', hours = '', days = '', months = '', weekdays = ''] = fields
  if (fields.length !== 5 || months !== '*') return null

  const isEveryDay = days === '*' && weekdays === '*'
  const minuteStep = step(minutes, MINUTE_STEPS)
  if (minuteStep !== null && hours === '*' && isEveryDay) {
    return { ...NIGHTLY, unit: 'MINUTES', every: minuteStep }
  }
  const minute = number(minutes, 0, 59)
  if (minute === null) return null
  const hourStep = hours === '*' ? 1 : step(hours, HOUR_STEPS)
  if (hourStep !== null && isEveryDay) return { ...NIGHTLY, unit: 'HOURS', every: hourStep, minute }
  const hour = number(hours, 0, 23)
  if (hour === null) return null
  const at = { ...NIGHTLY, hour, minute }
  if (isEveryDay) return at
  if (days === '*') {
    const read = readWeekdays(weekdays)
    return read && { ...at, unit: 'WEEKS', weekdays: read }
  }
  const day = days === LAST_DAY ? LAST_DAY : number(days, 1, 31)
  return day !== null && weekdays === '*' ? { ...at, unit: 'MONTHS', day } : null
}

function number(text: string, from: number, to: number): number | null {
  const value = Number(text)
  return /^\d+$/.test(text) && value >= from && value <= to ? value : null
}

function step(text: string, allowed: readonly number[]): number | null {
  const value = text.startsWith('*/') ? number(text.slice(2), 1, 60) : null
  return value !== null && allowed.includes(value) ? value : null
}

const WORKDAYS = '1-5'

function writeWeekdays(days: number[]): string {
  const list = [...new Set(days)].sort().join(',')
  return list === '1,2,3,4,5' ? WORKDAYS : list
}

/** Lists of days and of spans of them. Sunday may be 7 too. */
function readWeekdays(text: string): number[] | null {
  const days = new Set<number>()
  for (const part of text.split(',')) {
    const [from, to = from] = part.split('-').map(each => number(each, 0, 7))
    if (from === null || to === null || from === undefined || to === undefined || from > to) return null
    for (let day = from; day <= to; day += 1) days.add(day % 7)
  }
  return [...days].sort()
}
