import { notifyManager, type QueryClient, type QueryKey } from '@tanstack/react-query'
import { queryClient } from '../queries'
import type { paths } from '../schema'
import type { ServerEvent } from './events'

type Row = { id: string; status?: unknown; deleted?: boolean; [field: string]: unknown }
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
/** How many times as long as drawing takes is gathered, so that most of the time is left for whoever uses the page. */
const BREATH = 4
/** How often lists and counts are read anew at the most; events are never gathered for longer. */
const REREAD = 2_000

/** Brings events into the cache. */
export class Applier {
  private readonly client: QueryClient
  /** Of each kind the newest of each record. */
  private waiting = new Map<string, Map<string, Row>>()
  private readonly stale = new Set<Path>()
  private pause = GATHER
  private gathering: ReturnType<typeof setTimeout> | undefined
  private rereading: ReturnType<typeof setTimeout> | undefined

  constructor(client: QueryClient = queryClient) {
    this.client = client
  }

  /** Takes events in; the newest of each record counts. */
  add(events: ServerEvent[]): void {
    for (const { name, record } of events) {
      if (name === 'reset') {
        void this.client.invalidateQueries()
        continue
      }
      const records = this.waiting.get(name) ?? new Map<string, Row>()
      this.waiting.set(name, records.set(record.id, record))
    }
    this.gathering ??= setTimeout(() => this.flush(), this.pause)
  }

  /** Brings what was gathered into the cache now, all of it at once. */
  flush(): void {
    clearTimeout(this.gathering)
    this.gathering = undefined
    const begun = performance.now()
    const gathered = this.waiting
    this.waiting = new Map()
    notifyManager.batch(() => {
      for (const [name, records] of gathered) this.apply(name, records)
    })
    // Comes after what was drawn for it.
    setTimeout(() => {
      this.pause = Math.min(REREAD, Math.max(GATHER, (performance.now() - begun) * BREATH))
    })
    if (this.stale.size > 0) this.rereading ??= setTimeout(() => this.reread(), REREAD / 4)
  }

  private apply(name: string, records: Map<string, Row>): void {
    const kind = KINDS[name]
    if (!kind) return
    const listed = new Set<string>()
    let counts = name !== 'backup'
    this.patch(kind.list, list => {
      const rows = list[kind.rows] as Row[] | undefined
      if (!rows?.some(({ id }) => records.has(id))) return list
      const changed = rows.map(row => {
        const record = records.get(row.id)
        if (!record || record.deleted) return row
        listed.add(row.id)
        counts ||= row.status !== record.status
        return { ...row, ...record }
      })
      return { ...list, [kind.rows]: changed }
    })
    if (kind.one) {
      this.patch(kind.one, (answer, key) => {
        const { id } = (key[2] as { params: { path: { id: string } } }).params.path
        const record = records.get(id)
        if (!record || record.deleted) return answer
        const shown = answer[kind.field] as Row
        // The record in an event has neither its steps nor its log, which may have grown.
        this.stale.add(kind.one as Path)
        return { ...answer, [kind.field]: { ...shown, ...record } }
      })
    }
    // What no list shows may belong into one, and what is gone does not.
    if (counts || listed.size < records.size) {
      for (const path of [kind.list, ...kind.counted]) this.stale.add(path)
    }
  }

  /** Changes whatever was read from a path. */
  private patch(
    path: Path,
    change: (data: Record<string, unknown>, key: QueryKey) => Record<string, unknown>,
  ): void {
    const read = this.client.getQueriesData<Record<string, unknown>>({
      predicate: ({ queryKey }) => queryKey[1] === path,
    })
    for (const [key, data] of read) {
      const changed = data && change(data, key)
      if (changed !== data) this.client.setQueryData(key, changed)
    }
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
