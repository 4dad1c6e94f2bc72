import { Badge, Modal, Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Firing, Schedule, ScheduleDetails } from '@/api/schema'
import { CardTable } from '@/ui/CardTable'
import { FailureNotice } from '@/ui/FailureNotice'
import { Loading } from '@/ui/Loading'
import { AnchorLink } from '@/ui/links'
import { TimeDisplay } from '@/ui/TimeDisplay'

const COLORS = { STARTED: 'green', CAUGHT_UP: 'yellow', SKIPPED: 'red' } as const

/** What became of the newest instants that a schedule was due at. */
export function ScheduleHistory({ schedule, onClose }: { schedule: Schedule; onClose: () => void }) {
  const { t } = useTranslation(['schedules', 'common'])
  const path = { id: schedule.id }
  const details = $api.useQuery('get', '/api/admin/backup/schedule/{id}', { params: { path } })
  return (
    <Modal opened onClose={onClose} size="lg" title={t('history.title', { name: schedule.name })}>
      <FailureNotice error={details.error} onRetry={() => details.refetch()} />
      {details.isPending && <Loading />}
      {details.data && <Firings schedule={details.data.schedule} />}
    </Modal>
  )
}

function Firings({ schedule }: { schedule: ScheduleDetails }) {
  const { t } = useTranslation('schedules')
  if (schedule.firings.length === 0) return <Text>{t('history.none')}</Text>
  return (
    <CardTable
      label={t('history.title', { name: schedule.name })}
      minWidth={480}
      head={
        <>
          <Table.Th>{t('history.scheduled')}</Table.Th>
          <Table.Th>{t('history.outcome')}</Table.Th>
          <Table.Th>{t('history.recorded')}</Table.Th>
          <Table.Th>{t('history.backup')}</Table.Th>
        </>
      }
    >
      {schedule.firings.map(firing => (
        <Table.Tr key={firing.scheduledAt}>
          <Table.Td>
            <TimeDisplay at={firing.scheduledAt} />
          </Table.Td>
          <Table.Td data-label={t('history.outcome')}>
            <Badge color={COLORS[firing.outcome]} variant="light" autoContrast>
              {t(`history.${firing.outcome}`)}
            </Badge>
            {firing.missed > 0 && <Text size="xs">{t('history.missed', { count: firing.missed })}</Text>}
          </Table.Td>
          <Table.Td data-label={t('history.recorded')}>
            <TimeDisplay at={firing.recordedAt} />
          </Table.Td>
          <Table.Td data-label={t('history.backup')}>
            <FiredBackup firing={firing} schedule={schedule} />
          </Table.Td>
        </Table.Tr>
      ))}
    </CardTable>
  )
}

function FiredBackup({ firing, schedule }: { firing: Firing; schedule: ScheduleDetails }) {
  const { t } = useTranslation('schedules')
  const { backupId } = firing
  if (!backupId) return firing.outcome === 'SKIPPED' ? '-' : t('history.gone')
  return (
    <AnchorLink
      to="/backups/$backupId"
      params={{ backupId }}
      size="sm"
      underline="always"
      className="wrap-anywhere"
    >
      {schedule.backups.find(({ id }) => id === backupId)?.name ?? backupId}
    </AnchorLink>
  )
}
