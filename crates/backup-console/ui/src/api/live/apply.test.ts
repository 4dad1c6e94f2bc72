import { QueryClient } from '@tanstack/react-query'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Applier } from './apply'

const LIST = ['get', '/api/admin/backup', { params: { query: {} } }]
const ONE = ['get', '/api/admin/backup/{id}', { params: { path: { id: 'a' } } }]
const OTHER = ['get', '/api/admin/backup/{id}', { params: { path: { id: 'b' } } }]
const STATUS = ['get', '/api/admin/backup/status']

const event = (record: { id: string; [field: string]: unknown }, name = 'backup') => ({
  name,
  record,
  lastEventId: '1',
})

describe('events in the cache', () => {
  let client: QueryClient
  let applier: Applier

  beforeEach(() => {
    vi.useFakeTimers()
    client = new QueryClient({ defaultOptions: { queries: { gcTime: Number.POSITIVE_INFINITY } } })
    applier = new Applier(client)
    client.setQueryData(LIST, {
      backups: [{ id: 'a', status: 'IN_PROGRESS', progress: 1 }, { id: 'b' }],
      total: 2,
    })
    client.setQueryData(ONE, { backup: { id: 'a', status: 'IN_PROGRESS', progress: 1, dependents: [] } })
    client.setQueryData(OTHER, { backup: { id: 'b' } })
    client.setQueryData(STATUS, {})
    return () => vi.useRealTimers()
  })

  const isStale = (key: unknown[]) => client.getQueryState(key)?.isInvalidated

  it('changes the row and the page of a record, and asks for no list where only its progress changed', () => {
    const other = client.getQueryData(OTHER)
    applier.add([event({ id: 'a', status: 'IN_PROGRESS', progress: 50 })])
    vi.runAllTimers()
    expect(client.getQueryData(LIST)).toMatchObject({
      backups: [{ id: 'a', progress: 50 }, { id: 'b' }],
      total: 2,
    })
    expect(client.getQueryData(ONE)).toMatchObject({ backup: { progress: 50, dependents: [] } })
    expect(client.getQueryData(OTHER)).toBe(other)
    expect([LIST, STATUS].map(isStale)).toEqual([false, false])
  })

  it('has the page of a record read anew, since its log may have more lines', () => {
    applier.add([event({ id: 'a', status: 'IN_PROGRESS', progress: 1 })])
    vi.runAllTimers()
    expect([ONE, LIST].map(isStale)).toEqual([true, false])
  })

  it('has lists and counts read anew when a record ends, comes or goes', () => {
    for (const record of [
      { id: 'a', status: 'COMPLETED' },
      { id: 'new', status: 'PENDING' },
      { id: 'b', deleted: true },
    ]) {
      client.setQueryData(STATUS, {})
      client.setQueryData(LIST, (list: object | undefined) => ({ ...list }))
      applier.add([event(record)])
      vi.runAllTimers()
      expect([LIST, STATUS].map(isStale)).toEqual([true, true])
    }
  })

  it('makes one change of a storm, the newest', () => {
    let changes = 0
    client.getQueryCache().subscribe(({ type }) => {
      if (type === 'updated') changes += 1
    })
    for (let progress = 0; progress <= 1000; progress += 1) {
      applier.add([event({ id: 'a', status: 'IN_PROGRESS', progress })])
    }
    vi.runAllTimers()
    expect(client.getQueryData(LIST)).toMatchObject({ backups: [{ progress: 1000 }, {}] })
    expect(changes).toBeLessThan(10)
  })

  it('reads everything anew where the server no longer knows what was missed', () => {
    applier.add([{ name: 'reset', record: { id: '' }, lastEventId: null }])
    expect([LIST, ONE, OTHER, STATUS].map(isStale)).toEqual([true, true, true, true])
  })
})
