import { expect, it } from 'vitest'
import { daily, forecast } from './forecast'

const sample = (day: number, totalSizeBytes: number, quotaBytes: number | null = 1000) => ({
  recordedAt: `2026-03-${String(day).padStart(2, '0')}T12:00:00Z`,
  totalSizeBytes,
  quotaBytes,
})

it('says the day on which steady growth meets the quota', () => {
  const samples = [sample(1, 100), sample(2, 200), sample(3, 300), sample(4, 400)]
  expect(forecast(samples)).toEqual({ kind: 'fullAt', at: Date.parse('2026-03-10T12:00:00Z'), perDay: 100 })
})

it('takes the last sample of a day, so that a backup and its expiry are no growth', () => {
  const samples = [sample(1, 500), { ...sample(1, 100), recordedAt: '2026-03-01T13:00:00Z' }]
  expect(daily(samples).map(each => each.totalSizeBytes)).toEqual([100])
})

it('promises nothing where it cannot know', () => {
  expect(forecast([])).toEqual({ kind: 'unknown' })
  expect(forecast([sample(1, 100), sample(2, 200)])).toEqual({ kind: 'unknown' })
  expect(forecast([sample(1, 300), sample(2, 200), sample(3, 100)])).toEqual({ kind: 'steady' })
  expect(forecast([sample(1, 100), sample(2, 100), sample(3, 100)])).toEqual({ kind: 'steady' })
  expect(forecast([sample(3, 1000)])).toEqual({ kind: 'full' })
  expect(forecast([sample(1, 1, null), sample(2, 2, null), sample(3, 3, null)])).toEqual({
    kind: 'unlimited',
    perDay: 1,
  })
})
