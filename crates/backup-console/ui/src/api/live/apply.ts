import type { QueryClient, QueryKey } from '@tanstack/react-query'
import { queryClient } from '../queries'
import type { paths } from '../schema'
import type { ServerEvent } from './events'

type Row = { id: string; status?: unknown; [field: string]: unknown }
type Path = keyof paths

/** What the cache holds of a kind of record: lists below a field, single ones, and what is counted from them. */
const KINDS: Record<string, { list: Path; rows: string; one?: Path; field: string; counted: Path[] }> = {
  backup: {
    list: '/api/admin/backup',
    rows: 'backups',
    one: '/api/admin/backup/{id}',
    field: 'backup',
    counted: ['/api/admin/backup/status', '/api/admin/backup/usage'],
  },
  restore: {
    list: '/api/admin/restore',
    rows: 'restores',
    one: '/api/admin/restore/{id}',
    field: 'restore',
    counted: ['/api/admin/backup/{id}'],
  },
  schedule: {
    list: '/api/admin/backup/schedule',
    rows: 'schedules',
    one: '/api/admin/backup/schedule/{id}',
    field: 'schedule',
    // The record in an event has neither its firings nor its backups.
    counted: ['/api/admin/backup/status', '/api/admin/backup/schedule/{id}'],
  },
  alert: {
    list: '/api/admin/backup/alerts',
    rows: 'alerts',
    field: 'alert',
    counted: ['/api/admin/backup/status'],
  },
}

/** How long events are gathered before the pages are drawn anew: a storm of them is one change in a while. */
const GATHER = 200
/** How often lists and counts are read anew at the most. */
const REREAD = 2_000

/** Brings events into the cache. */
export class Applier {
  private readonly client: QueryClient
  private readonly waiting = new Map<string, ServerEvent>()
  private readonly stale = new Set<Path>()
  private gathering: ReturnType<typeof setTimeout> | undefined
  private rereading: ReturnType<typeof setTimeout> | undefined

  constructor(client: QueryClient = queryClient) {
    this.client = client
  }

  /** Takes events in; the newest of each record counts. */
  add(events: ServerEvent[]): void {
    for (const event of events) {
      if (event.name === 'reset') void this.client.invalidateQueries()
      else this.waiting.set(`${event.name} ${event.record.id}`, event)
    }
    this.gathering ??= setTimeout(() => this.flush(), GATHER)
  }

  /** Brings what was gathered into the cache now. */
  flush(): void {
    clearTimeout(this.gathering)
    this.gathering = undefined
    for (const event of this.waiting.values()) this.apply(event)
    this.waiting.clear()
    if (this.stale.size > 0) this.rereading ??= setTimeout(() => this.reread(), REREAD / 4)
  }

  private apply({ name, record }: ServerEvent): void {
    const kind = KINDS[name]
    if (!kind) return
    let counts = record.deleted === true
    let listed = false
    this.patch(kind.list, list => {
      const rows = list[kind.rows] as Row[] | undefined
      const at = rows?.findIndex(row => row.id === record.id) ?? -1
      if (!rows || at < 0 || record.deleted) return list
      listed = true
      counts ||= rows[at]?.status !== record.status
      return { ...list, [kind.rows]: rows.with(at, { ...rows[at], ...record }) }
    })
    if (kind.one && !record.deleted) {
      this.patch(
        kind.one,
        answer => ({ ...answer, [kind.field]: { ...(answer[kind.field] as Row), ...record } }),
        key => (key[2] as { params?: { path?: { id?: string } } })?.params?.path?.id === record.id,
      )
    }
    if (counts || !listed || name !== 'backup') {
      for (const path of [kind.list, ...kind.counted]) this.stale.add(path)
    }
  }

  private patch(
    path: Path,
    change: (data: Record<string, unknown>) => Record<string, unknown>,
    matches: (key: QueryKey) => boolean = () => true,
  ): void {
    this.client.setQueriesData<Record<string, unknown>>(
      { predicate: ({ queryKey }) => queryKey[1] === path && matches(queryKey) },
      data => data && change(data),
    )
  }

  private reread(): void {
    const paths = new Set(this.stale)
    this.stale.clear()
    void this.client.invalidateQueries({ predicate: ({ queryKey }) => paths.has(queryKey[1] as Path) })
    // The next turn waits its time even where events go on coming.
    this.rereading = setTimeout(() => {
      this.rereading = undefined
      if (this.stale.size > 0) this.reread()
    }, REREAD)
  }
}
