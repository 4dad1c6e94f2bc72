import { expect, it } from 'vitest'
import { readLoginSearch } from './loginSearch'

it('comes back to pages of the console alone', () => {
  expect(readLoginSearch({ returnTo: '/backups?page=2', expired: true })).toEqual({
    returnTo: '/backups?page=2',
    expired: true,
  })
  for (const returnTo of [
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    'javascript:alert(1)',
    7,
  ]) {
    expect(readLoginSearch({ returnTo })).toEqual({})
  }
})
