import { Group } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Schedule } from '@/api/schema'
import { StatusBadge } from '@/ui/badges'
import { FailureNotice } from '@/ui/FailureNotice'
import { AnchorLink } from '@/ui/links'
import { TimeDisplay } from '@/ui/TimeDisplay'

/** The newest backups, among which there is one that the schedule itself made. */
const LOOKED_AT = 5

/** How the newest backup of a schedule went or goes, and the way to all of them. */
export function LastResult({ schedule }: { schedule: Schedule }) {
  const { t } = useTranslation('schedules')
  const query = { scheduleId: schedule.id, limit: LOOKED_AT }
  const { data, error } = $api.useQuery('get', '/api/admin/backup', { params: { query } })
  // What is made of another is no run of the schedule.
  const last = data?.backups.find(backup => !backup.consolidatedFrom) ?? data?.backups[0]
  return (
    <>
      <FailureNotice error={error} />
      {last ? (
        <>
          <StatusBadge job={last} label={last.name} />
          <TimeDisplay at={last.completedAt ?? last.createdAt} />
        </>
      ) : (
        data && t('never')
      )}
      {schedule._count.backups > 0 && (
        <Group>
          <AnchorLink to="/backups" search={{ scheduleId: schedule.id }} size="sm" underline="always">
            {t('count', { count: schedule._count.backups })}
          </AnchorLink>
        </Group>
      )}
    </>
  )
}
