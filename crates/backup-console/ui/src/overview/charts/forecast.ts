import type { UsageSample } from '@/api/schema'

const DAY = 86_400_000

/** Days of samples that a forecast needs. */
const ENOUGH = 3
/** A forecast that reaches further says nothing. */
const FURTHEST = 3650

/** When the quota is used up, as the usage has grown. */
export type Forecast =
  /** There is no quota. */
  | { kind: 'unlimited'; perDay: number | null }
  /** Too few days are known. */
  | { kind: 'unknown' }
  | { kind: 'full' }
  /** It does not grow, or so slowly that it does not matter. */
  | { kind: 'steady' }
  | { kind: 'fullAt'; at: number; perDay: number }

type Sample = Pick<UsageSample, 'recordedAt' | 'totalSizeBytes' | 'quotaBytes'>

/** The last sample of each day in UTC, oldest first. */
export function daily<T extends Pick<UsageSample, 'recordedAt'>>(samples: T[]): T[] {
  return [...new Map(samples.map(sample => [sample.recordedAt.slice(0, 10), sample])).values()]
}

/** Draws a line through the daily usage, and sees where it meets the quota. */
export function forecast(samples: Sample[]): Forecast {
  const days = daily(samples)
  const last = days.at(-1)
  if (!last) return { kind: 'unknown' }
  const quota = last.quotaBytes
  if (quota != null && last.totalSizeBytes >= quota) return { kind: 'full' }
  const perDay = days.length < ENOUGH ? null : slope(days)
  if (quota == null) return { kind: 'unlimited', perDay }
  if (perDay === null) return { kind: 'unknown' }
  const left = (quota - last.totalSizeBytes) / perDay
  if (!(left > 0 && left < FURTHEST)) return { kind: 'steady' }
  return { kind: 'fullAt', at: Date.parse(last.recordedAt) + left * DAY, perDay }
}

/** Bytes a day, by the least squares. */
function slope(days: Sample[]): number {
  const xs = days.map(day => Date.parse(day.recordedAt) / DAY)
  const ys = days.map(day => day.totalSizeBytes)
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [mx, my] = [mean(xs), mean(ys)]
  const spread = xs.reduce((sum, x) => sum + (x - mx) ** 2, 0)
  return spread === 0
    ? 0
    : xs.reduce((sum, x, index) => sum + (x - mx) * ((ys[index] ?? my) - my), 0) / spread
}
