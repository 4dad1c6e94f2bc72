import { Group, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { JobStatus } from '@/api/schema'
import { isActive, StatusBadge, TypeBadge } from '@/ui/badges'
import { ConfigName } from '@/ui/ConfigName'
import { TimeDisplay } from '@/ui/TimeDisplay'

/** More than are shown at once. */
const SHOWN = 10

/** What runs and what waits, as it goes on. */
export function ActiveJobs() {
  const { t } = useTranslation('overview')
  const backups = [...useBackups('IN_PROGRESS'), ...useBackups('PENDING')].filter(isActive)
  if (backups.length === 0) return <Text size="sm">{t('jobs.none')}</Text>
  return (
    <Stack>
      {backups.map(backup => (
        <Group key={backup.id} justify="space-between">
          <div>
            <Group gap="xs">
              <Text fw={500} className="wrap-anywhere">
                {backup.name}
              </Text>
              <TypeBadge type={backup.type} />
              <ConfigName of={backup.configKey} />
            </Group>
            <Text size="sm">
              <TimeDisplay at={backup.startedAt ?? backup.createdAt} distance />
            </Text>
          </div>
          <StatusBadge job={backup} label={backup.name} />
        </Group>
      ))}
    </Stack>
  )
}

function useBackups(status: JobStatus) {
  const query = { status, limit: SHOWN }
  return $api.useSuspenseQuery('get', '/api/admin/backup', { params: { query } }).data.backups
}
