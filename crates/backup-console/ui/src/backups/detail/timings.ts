import type { Backup } from '@/api/schema'

type Times = Pick<Backup, 'createdAt' | 'startedAt' | 'completedAt'>

/** Milliseconds that a backup waited for a worker and that it took; `null` where that is not known yet. */
export function timings({ createdAt, startedAt, completedAt }: Times): {
  waited: number | null
  took: number | null
} {
  const [created, started, completed] = [createdAt, startedAt, completedAt].map(at =>
    at ? Date.parse(at) : null,
  )
  return {
    waited: started != null && created != null ? Math.max(0, started - created) : null,
    took: started != null && completed != null ? Math.max(0, completed - started) : null,
  }
}

/** Bytes read from the sources a second; `null` where it was too short to tell. */
export function bytesPerSecond(backup: Times & Pick<Backup, 'sourceBytes'>): number | null {
  const { took } = timings(backup)
  return took !== null && took >= 1000 && typeof backup.sourceBytes === 'number'
    ? Math.round(backup.sourceBytes / (took / 1000))
    : null
}

/** Percent of the sources' bytes that the stored file takes up. */
export function ratio({ sizeBytes, sourceBytes }: Pick<Backup, 'sizeBytes' | 'sourceBytes'>): number | null {
  return typeof sizeBytes === 'number' && sourceBytes ? (sizeBytes / sourceBytes) * 100 : null
}
