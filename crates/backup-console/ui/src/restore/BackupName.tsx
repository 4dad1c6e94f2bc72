import { Text } from '@mantine/core'
import { $api } from '@/api/client'
import { AnchorLink } from '@/ui/links'

/** A backup by its name, with the way to it; by its id where it is no longer there. */
export function BackupName({ id }: { id: string }) {
  const { data } = $api.useQuery('get', '/api/admin/backup/{id}', { params: { path: { id } } })
  if (!data) {
    return (
      <Text size="sm" className="wrap-anywhere">
        {id}
      </Text>
    )
  }
  return (
    <AnchorLink
      to="/backups/$backupId"
      params={{ backupId: id }}
      size="sm"
      underline="always"
      className="wrap-anywhere"
    >
      {data.backup.name}
    </AnchorLink>
  )
}
