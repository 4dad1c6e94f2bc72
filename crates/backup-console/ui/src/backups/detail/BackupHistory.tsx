import { Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { TimeDisplay } from '@/ui/TimeDisplay'

/** More than are shown; the audit log has them all. */
const SHOWN = 20

const ACTIONS = [
  'BACKUP_CREATE',
  'BACKUP_CANCEL',
  'BACKUP_VERIFY',
  'BACKUP_CONSOLIDATE',
  'BACKUP_DOWNLOAD',
  'BACKUP_FILE_DOWNLOAD',
  'BACKUP_PROTECT',
  'BACKUP_UNPROTECT',
  'BACKUP_ADOPT',
  'RESTORE_CREATE',
] as const

/** Who did what with a backup. */
export function BackupHistory({ backupId }: { backupId: string }) {
  const { t } = useTranslation('detail')
  const query = { resourceId: backupId, limit: SHOWN }
  const { entries } = $api.useSuspenseQuery('get', '/api/admin/audit', { params: { query } }).data
  if (entries.length === 0) return <Text size="sm">{t('history.none')}</Text>
  return (
    <Table.ScrollContainer minWidth={320} type="native">
      <Table aria-label={t('history.title')}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('history.at')}</Table.Th>
            <Table.Th>{t('history.action')}</Table.Th>
            <Table.Th>{t('history.by')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map(entry => {
            const known = ACTIONS.find(action => action === entry.action)
            return (
              <Table.Tr key={entry.id}>
                <Table.Td>
                  <TimeDisplay at={entry.at} />
                </Table.Td>
                <Table.Td className="wrap-anywhere" title={entry.description}>
                  {known ? t(`history.${known}`) : entry.description}
                </Table.Td>
                <Table.Td className="wrap-anywhere">{entry.user?.displayName ?? t('facts.system')}</Table.Td>
              </Table.Tr>
            )
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
