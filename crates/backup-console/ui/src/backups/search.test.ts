import { expect, it } from 'vitest'
import { isNarrowed, readBackupSearch, toQuery } from './search'

it('ignores what does not belong in an address', () => {
  const read = readBackupSearch({
    status: 'DROP',
    type: 'FULL',
    page: -1,
    size: 7,
    from: '2026-13-01',
    q: 42,
    evil: 1,
  })
  expect(JSON.parse(JSON.stringify(read))).toEqual({ type: 'FULL', q: '42' })
})

it('asks the server for the page and the days that the viewer means', () => {
  const query = toQuery({
    page: 3,
    size: 50,
    from: '2026-11-01',
    to: '2026-11-02',
    status: 'FAILED',
    configKey: 'shop',
    sortBy: 'sizeBytes',
  })
  expect(query).toMatchObject({
    limit: 50,
    offset: 100,
    status: 'FAILED',
    configKey: 'shop',
    sortBy: 'sizeBytes',
  })
  expect(query.dateFrom).toBe(new Date(2026, 10, 1).toISOString())
  expect(query.dateTo).toBe(new Date(2026, 10, 2, 23, 59, 59, 999).toISOString())
})

it('tells a narrowed list from a sorted one', () => {
  expect(isNarrowed(readBackupSearch({ page: 2, size: 50, sortBy: 'sizeBytes', sortOrder: 'asc' }))).toBe(
    false,
  )
  expect(isNarrowed(readBackupSearch({ q: 'x' }))).toBe(true)
  expect(isNarrowed(readBackupSearch({ configKey: 'shop' }))).toBe(true)
})
