import { serverUrl } from '@/api/base'
import { server } from '@/api/client'
import { Failure } from '@/api/failure'

/**
 * Has the browser fetch one file out of a backup. What the server would refuse is asked before, as for a whole backup.
 *
 * @throws Failure with the server's message
 */
export async function fetchFile(backupId: string, path: string): Promise<void> {
  const params = { path: { id: backupId }, query: { path } }
  try {
    await server.HEAD('/api/admin/backup/{id}/contents/file', { params })
  } catch (error) {
    if (!(error instanceof Failure) || error.message) throw error
    // A HEAD brings no sentence; the same as a GET is refused with one.
    await server.GET('/api/admin/backup/{id}/contents/file', { params, parseAs: 'stream' })
    throw error
  }
  const link = document.createElement('a')
  link.href = serverUrl(`api/admin/backup/${backupId}/contents/file`, { path })
  link.download = ''
  link.click()
}
