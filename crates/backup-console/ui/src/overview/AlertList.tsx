import { Badge, Button, Group, type MantineColor, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Alert, AlertSeverity } from '@/api/schema'
import { useCan } from '@/session/me'
import { FailureNotice } from '@/ui/FailureNotice'
import { TimeDisplay } from '@/ui/TimeDisplay'

const COLORS: Record<AlertSeverity, MantineColor> = { INFO: 'blue', WARNING: 'yellow', CRITICAL: 'red' }

/** What is open, and what to do about it. */
export function AlertList({ alerts }: { alerts: Alert[] }) {
  const { t } = useTranslation('overview')
  if (alerts.length === 0) return <Text size="sm">{t('alerts.none')}</Text>
  return (
    <Stack>
      {alerts.map(alert => (
        <AlertRow key={alert.id} alert={alert} />
      ))}
    </Stack>
  )
}

function AlertRow({ alert }: { alert: Alert }) {
  const { t } = useTranslation('overview')
  const can = useCan()
  const acknowledge = $api.useMutation('post', '/api/admin/backup/alerts/{id}/acknowledge', {
    onSuccess: () => refresh('/api/admin/backup/status', '/api/admin/backup/alerts'),
  })
  return (
    <Stack gap={4}>
      <Group gap="xs">
        <Badge color={COLORS[alert.severity]} variant="light">
          {t(`alerts.severity.${alert.severity}`)}
        </Badge>
        <Text size="sm">
          <TimeDisplay at={alert.raisedAt} />
        </Text>
        {alert.acknowledgedAt && <Text size="sm">{t('alerts.acknowledged')}</Text>}
      </Group>
      <Text fw={500} className="wrap-anywhere">
        {alert.message}
      </Text>
      <Text size="sm">{t(`alerts.hint.${alert.kind}`)}</Text>
      <FailureNotice error={acknowledge.error} />
      {!alert.acknowledgedAt && can('OPERATE') && (
        <Group>
          <Button
            size="xs"
            variant="default"
            loading={acknowledge.isPending}
            onClick={() => acknowledge.mutate({ params: { path: { id: alert.id } } })}
          >
            {t('alerts.acknowledge')}
          </Button>
        </Group>
      )}
    </Stack>
  )
}
