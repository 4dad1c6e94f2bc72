import type { Backup } from '@/api/schema'

type Times = Pick<Backup, 'createdAt' | 'startedAt' | 'completedAt' | 'consolidatedFrom'>

/**
 * Milliseconds that a backup waited for a worker and that it took; `null` where that is not known. One that is made of
 * another is dated as that one, so that nobody knows how long it waited.
 */
export function timings({ createdAt, startedAt, completedAt, consolidatedFrom }: Times): {
  waited: number | null
  took: number | null
} {
  const [created, started, completed] = [createdAt, startedAt, completedAt].map(at =>
    at ? Date.parse(at) : null,
  )
  return {
    waited: started != null && created != null && !consolidatedFrom ? Math.max(0, started - created) : null,
    took: started != null && completed != null ? Math.max(0, completed - started) : null,
  }
}

/** Bytes read from the sources a second; `null` where it was too short to tell. */
export function bytesPerSecond(backup: Times & Pick<Backup, 'sourceBytes'>): number | null {
  const { took } = timings(backup)
  return took !== null && took >= 1000 && !backup.consolidatedFrom && typeof backup.sourceBytes === 'number'
    ? Math.round(backup.sourceBytes / (took / 1000))
    : null
}

/** Percent of the sources' bytes that the stored file takes up. */
export function ratio({ sizeBytes, sourceBytes }: Pick<Backup, 'sizeBytes' | 'sourceBytes'>): number | null {
  return typeof sizeBytes === 'number' && sourceBytes ? (sizeBytes / sourceBytes) * 100 : null
}
