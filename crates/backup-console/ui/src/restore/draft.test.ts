import { expect, it } from 'vitest'
import { confirmationOf, isSelective, newDraft, targetProblems, toBody } from './draft'

const contents = {
  database: { sizeBytes: 1, tables: ['app.a'], rowCount: 1, serverVersion: '15' },
  files: { sizeBytes: 1, fileCount: 1, entryCount: 1 },
  config: null,
}
const config = { databaseName: 'app', uploadDir: '/srv/app' }
const backup = { name: 'backup-1' }

it('begins with what the backup has, and with what cannot harm', () => {
  const draft = newDraft(contents)
  expect(draft).toMatchObject({
    restoreDatabase: true,
    restoreFiles: true,
    restoreConfig: false,
    mode: 'NEW',
  })
  expect(targetProblems(draft)).toEqual({ targetDatabase: 'missing', targetDir: 'missing' })
})

it('sends a selection in mode NEW alone, and what keeps the old state in mode REPLACE alone', () => {
  const draft = { ...newDraft(contents), tables: ['app.a'], targetDatabase: ' new ', targetDir: '/new' }
  expect(isSelective(draft)).toBe(true)
  expect(toBody(draft)).toEqual({
    restoreDatabase: true,
    restoreFiles: true,
    restoreConfig: false,
    mode: 'NEW',
    skipOwner: false,
    targetDatabase: 'new',
    targetDir: '/new',
    tables: ['app.a'],
  })
  expect(toBody({ ...newDraft(contents), mode: 'REPLACE' })).toEqual({
    restoreDatabase: true,
    restoreFiles: true,
    restoreConfig: false,
    mode: 'REPLACE',
    skipOwner: false,
    safetyBackup: true,
    keepOldHours: 72,
  })
})

it('never sends the target of a part that is left out', () => {
  const draft = { ...newDraft(contents), restoreDatabase: false, targetDatabase: 'x', tables: ['app.a'] }
  expect(toBody(draft)).not.toHaveProperty('targetDatabase')
  expect(toBody(draft)).not.toHaveProperty('tables')
  expect(isSelective(draft)).toBe(false)
})

it('names the paths as the contents show them', () => {
  const draft = { ...newDraft(contents), targetDir: '/new', paths: ['a', 'files/b'] }
  expect(toBody(draft)).toMatchObject({ paths: ['files/a', 'files/files/b'] })
})

it('wants a whole path and a time within what the server takes', () => {
  const draft = { ...newDraft(contents), mode: 'REPLACE' as const, targetDir: 'here', keepOldHours: 0 }
  expect(targetProblems(draft)).toEqual({ targetDir: 'notAbsolute', keepOldHours: 'hours' })
})

it('has the name of what is overwritten typed', () => {
  const draft = newDraft(contents)
  expect(confirmationOf({ ...draft, mode: 'REPLACE' }, backup, config)).toBe('app')
  expect(confirmationOf({ ...draft, mode: 'REPLACE', restoreDatabase: false }, backup, config)).toBe(
    '/srv/app',
  )
  expect(confirmationOf({ ...draft, targetDatabase: 'new' }, backup, config)).toBe('new')
  expect(confirmationOf({ ...draft, restoreDatabase: false, restoreFiles: false }, backup, undefined)).toBe(
    'backup-1',
  )
})
