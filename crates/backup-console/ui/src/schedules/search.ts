import { wholeNumber } from '@/app/search'

/** What the address of the schedules says. */
export interface ScheduleSearch {
  /** Counts from 1. */
  page?: number
  /** Whether the dialog for a new schedule is open. */
  create?: true
}

export function readScheduleSearch(search: Record<string, unknown>): ScheduleSearch {
  return { page: wholeNumber(search.page), create: search.create === true || undefined }
}
