import { expect, it } from 'vitest'
import { isNarrowed, readAuditSearch, toFilter } from './search'

it('asks for whole days of the viewer, and for nothing that the address does not say', () => {
  const search = readAuditSearch({
    action: 'LOGIN',
    from: '2026-11-01',
    to: '2026-11-02',
    page: 3,
    resourceId: '',
  })
  expect(toFilter(search)).toEqual({
    action: 'LOGIN',
    from: new Date('2026-11-01T00:00:00').toISOString(),
    to: new Date('2026-11-02T23:59:59.999').toISOString(),
  })
  expect(isNarrowed(search)).toBe(true)
  expect(isNarrowed(readAuditSearch({ page: 2 }))).toBe(false)
})

it('leaves out what is no day', () => {
  expect(toFilter(readAuditSearch({ from: '2026-13-01', to: 'yesterday', page: -1 }))).toEqual({})
})
