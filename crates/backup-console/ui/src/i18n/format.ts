import { currentLanguage } from './language'

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']

/** A size as people read it; units of 1024, `-` for none. */
export function formatSize(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return '-'
  let [value, unit] = [bytes, 0]
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 ? 0 : unit < 3 ? 1 : 2
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}

/** A moment in the viewer's zone, or in another one. */
export function formatTime(moment: string, timeZone?: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), {
    dateStyle: 'medium',
    timeStyle: 'short',
    ...(timeZone === undefined ? {} : { timeZone }),
  }).format(new Date(moment))
}

/** A moment to the second in the viewer's zone, short. */
export function formatTimeToSecond(moment: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'short', timeStyle: 'medium' }).format(
    new Date(moment),
  )
}

/** A moment to the second and with the zone's name, or with that of another zone. */
export function formatTimeExactly(moment: string, timeZone?: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
    ...(timeZone === undefined ? {} : { timeZone }),
  }).format(new Date(moment))
}

const SPANS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

/** How long ago, or until, as “3 hours ago”. */
export function formatDistance(moment: string, now: number): string {
  const seconds = (Date.parse(moment) - now) / 1000
  const format = new Intl.RelativeTimeFormat(currentLanguage(), { numeric: 'auto' })
  for (const [unit, length] of SPANS) {
    if (Math.abs(seconds) >= length) return format.format(Math.trunc(seconds / length), unit)
  }
  return format.format(Math.trunc(seconds), 'second')
}

/** A length of time as `1:02:03` or `2:03`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const two = (number: number) => String(number).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

/** A length of time to a tenth of a second below a minute, as [`formatDuration`] from there on. */
export function formatSeconds(milliseconds: number): string {
  if (milliseconds >= 59_950) return formatDuration(milliseconds)
  return new Intl.NumberFormat(currentLanguage(), {
    style: 'unit',
    unit: 'second',
    unitDisplay: 'short',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  }).format(Math.max(0, milliseconds) / 1000)
}

/** A number with separators. */
export function formatNumber(number: number): string {
  return new Intl.NumberFormat(currentLanguage()).format(number)
}
