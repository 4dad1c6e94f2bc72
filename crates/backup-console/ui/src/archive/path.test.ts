import { expect, it } from 'vitest'
import { coveredBy, selectable, toggle, trail } from './path'

it('leads back through every folder', () => {
  expect(trail('files/a/b')).toEqual([
    { name: 'files', path: 'files' },
    { name: 'a', path: 'files/a' },
    { name: 'b', path: 'files/a/b' },
  ])
  expect(trail('')).toEqual([])
})

it('chooses only what the server would find again', () => {
  expect(selectable('files/a/b')).toBe('a/b')
  expect(selectable('files')).toBeNull()
  expect(selectable('database/database.dump')).toBeNull()
  expect(selectable('files/\\xff')).toBeNull()
})

it('names a folder or what is in it, never both', () => {
  expect(toggle(['a/b', 'a/c', 'ab'], 'a')).toEqual(['ab', 'a'])
  expect(toggle(['a'], 'a')).toEqual([])
  expect(coveredBy(['a'], 'a/b')).toBe('a')
  expect(coveredBy(['a'], 'ab')).toBeUndefined()
})
