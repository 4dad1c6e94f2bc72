import type { BackupSource, BackupTrigger, BackupType, JobStatus, paths } from '@/api/schema'
import { day, endOf, oneOf, startOf, text, wholeNumber } from '@/app/search'

export const STATUSES = [
  'PENDING',
  'IN_PROGRESS',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
] as const satisfies JobStatus[]
export const TYPES = ['FULL', 'INCREMENTAL', 'DIFFERENTIAL'] as const satisfies BackupType[]
export const SOURCES = ['FULL_SYSTEM', 'DATABASE', 'FILES', 'CONFIG'] as const satisfies BackupSource[]
export const TRIGGERS = ['SCHEDULED', 'MANUAL', 'PRE_RESTORE'] as const satisfies BackupTrigger[]
export const PAGE_SIZES = [20, 50, 100, 200] as const

type Query = NonNullable<paths['/api/admin/backup']['get']['parameters']['query']>

/** What the address of the list says. */
export interface BackupSearch {
  q?: string
  status?: JobStatus
  type?: BackupType
  source?: BackupSource
  trigger?: BackupTrigger
  configKey?: string
  scheduleId?: string
  /** Days of the viewer's zone, `YYYY-MM-DD`, both included. */
  from?: string
  to?: string
  /** Counts from 1. */
  page?: number
  size?: (typeof PAGE_SIZES)[number]
  sortBy?: NonNullable<Query['sortBy']>
  sortOrder?: NonNullable<Query['sortOrder']>
}

/** Reads the address; what it does not understand is as if it were not there. */
export function readBackupSearch(search: Record<string, unknown>): BackupSearch {
  return {
    q: text(search.q),
    status: oneOf(STATUSES, search.status),
    type: oneOf(TYPES, search.type),
    source: oneOf(SOURCES, search.source),
    trigger: oneOf(TRIGGERS, search.trigger),
    configKey: text(search.configKey),
    scheduleId: text(search.scheduleId),
    from: day(search.from),
    to: day(search.to),
    page: wholeNumber(search.page),
    size: oneOf(PAGE_SIZES, search.size),
    sortBy: oneOf(['createdAt', 'completedAt', 'sizeBytes'] as const, search.sortBy),
    sortOrder: oneOf(['asc', 'desc'] as const, search.sortOrder),
  }
}

/** The question to the server. */
export function toQuery({ from, to, page = 1, size = PAGE_SIZES[0], ...same }: BackupSearch): Query {
  const given = Object.fromEntries(Object.entries(same).filter(([, value]) => value !== undefined))
  return {
    ...given,
    limit: size,
    offset: (page - 1) * size,
    ...(from && { dateFrom: startOf(from) }),
    ...(to && { dateTo: endOf(to) }),
  }
}

/** All of it, in the order and in pages of the size that were chosen. */
export const NO_FILTERS = {
  q: undefined,
  status: undefined,
  type: undefined,
  source: undefined,
  trigger: undefined,
  configKey: undefined,
  scheduleId: undefined,
  from: undefined,
  to: undefined,
} as const satisfies BackupSearch

/** Whether anything narrows the list. */
export function isNarrowed(search: BackupSearch): boolean {
  return Object.keys(NO_FILTERS).some(name => search[name as keyof typeof NO_FILTERS] !== undefined)
}
