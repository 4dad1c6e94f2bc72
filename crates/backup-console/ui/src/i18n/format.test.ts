import { expect, it } from 'vitest'
import { formatDistance, formatDuration, formatSeconds, formatSize } from './format'

it('shows sizes as the specification does', () => {
  expect(
    [null, undefined, 0, 1023, 1024, 1536, 5 * 1024 ** 2, 2.5 * 1024 ** 3, 3 * 1024 ** 4].map(formatSize),
  ).toEqual(['-', '-', '0 B', '1023 B', '1.0 KB', '1.5 KB', '5.0 MB', '2.50 GB', '3.00 TB'])
})

it('tells how far away a moment is', () => {
  const now = Date.parse('2026-11-27T12:00:00Z')
  expect(formatDistance('2026-11-27T09:00:00Z', now)).toContain('3')
  expect(formatDistance('2026-11-27T09:00:00Z', now)).toContain('小時前')
  expect(formatDistance('2026-11-29T12:00:00Z', now)).toMatch(/後/)
})

it('shows short lengths of time to a tenth of a second', () => {
  expect([0, 1_249, 59_900, 61_000].map(formatSeconds)).toEqual(['0.0 秒', '1.2 秒', '59.9 秒', '1:01'])
})

it('shows lengths of time', () => {
  expect([0, 61_000, 3_723_000].map(formatDuration)).toEqual(['0:00', '1:01', '1:02:03'])
})
