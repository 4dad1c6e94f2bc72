import { text } from '@/app/search'

/** What the address of the archive browser says: the folder that is open. */
export interface ArchiveSearch {
  path?: string
}

export function readArchiveSearch(search: Record<string, unknown>): ArchiveSearch {
  const path = text(search.path)
  return path === undefined ? {} : { path }
}
