import type { paths } from '@/api/schema'
import { day, endOf, startOf, text, wholeNumber } from '@/app/search'

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
    ...(from && { from: startOf(from) }),
    ...(to && { to: endOf(to) }),
  }
}

/** All of it. */
export const NO_FILTERS = {
  userId: undefined,
  action: undefined,
  resourceType: undefined,
  resourceId: undefined,
  from: undefined,
  to: undefined,
} as const satisfies AuditSearch

/** Whether anything narrows the list. */
export function isNarrowed(search: AuditSearch): boolean {
  return Object.keys(NO_FILTERS).some(name => search[name as keyof typeof NO_FILTERS] !== undefined)
}
