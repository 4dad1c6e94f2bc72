import { serverUrl } from '@/api/base'
import { server } from '@/api/client'
import { Failure } from '@/api/failure'
import type { Backup } from '@/api/schema'

/**
 * Has the browser download a backup, which then goes on by itself, whatever its size. What the server would refuse is
 * asked before: a browser shows a refused download as a broken file.
 *
 * @throws Failure with the server's message
 */
export async function downloadBackup(backup: Backup, how: { decrypt?: true; full?: true }): Promise<void> {
  const params = { path: { id: backup.id }, query: how }
  try {
    await server.HEAD('/api/admin/backup/{id}/download', { params })
  } catch (error) {
    if (!(error instanceof Failure) || error.message) throw error
    // A HEAD brings no sentence; the same as a GET is refused with one.
    await server.GET('/api/admin/backup/{id}/download', { params, parseAs: 'stream' })
    throw error
  }
  const query = Object.fromEntries(Object.keys(how).map(name => [name, 'true']))
  const link = document.createElement('a')
  link.href = serverUrl(`api/admin/backup/${backup.id}/download`, query)
  link.download = ''
  link.click()
}
