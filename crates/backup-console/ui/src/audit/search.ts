import type { paths } from '@/api/schema'
import { text, wholeNumber } from '@/app/search'

/** Entries on a page. */
export const PAGE = 50

type Query = NonNullable<paths['/api/admin/audit']['get']['parameters']['query']>

/** What the address of the audit log says. */
export interface AuditSearch {
  userId?: string
  action?: string
  resourceType?: string
  resourceId?: string
  /** Days of the viewer's zone, `YYYY-MM-DD`, both included. */
  from?: string
  to?: string
  /** Counts from 1. */
  page?: number
}

export function readAuditSearch(search: Record<string, unknown>): AuditSearch {
  return {
    userId: text(search.userId),
    action: text(search.action),
    resourceType: text(search.resourceType),
    resourceId: text(search.resourceId),
    from: day(search.from),
    to: day(search.to),
    page: wholeNumber(search.page),
  }
}

/** The filters as the server takes them, for the list and for the export alike. */
export function toFilter({ page: _, from, to, ...same }: AuditSearch): Omit<Query, 'limit' | 'offset'> {
  const given = Object.fromEntries(Object.entries(same).filter(([, value]) => value !== undefined))
  return {
    ...given,
    // A day of the viewer's, which is another span than the server's day in UTC.
    ...(from && { from: new Date(`${from}T00:00:00`).toISOString() }),
    ...(to && { to: new Date(`${to}T23:59:59.999`).toISOString() }),
  }
}

/** Whether anything narrows the list. */
export function isNarrowed({ page: _, ...filters }: AuditSearch): boolean {
  return Object.values(filters).some(value => value !== undefined)
}

function day(value: unknown): string | undefined {
  const given = text(value)
  return given && /^\d{4}-\d\d-\d\d$/.test(given) && !Number.isNaN(Date.parse(given)) ? given : undefined
}
