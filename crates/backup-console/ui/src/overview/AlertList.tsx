import { Badge, Button, Group, type MantineColor, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Alert, AlertSeverity } from '@/api/schema'
import { useCan } from '@/session/me'
import { FailureNotice } from '@/ui/FailureNotice'
import { AnchorLink } from '@/ui/links'
import { TimeDisplay } from '@/ui/TimeDisplay'

const COLORS: Record<AlertSeverity, MantineColor> = { INFO: 'blue', WARNING: 'yellow', CRITICAL: 'red' }

/** Alerts that are shown at first. */
const SHOWN = 5

/** What is open, and what to do about it. */
export function AlertList({ alerts }: { alerts: Alert[] }) {
  const { t } = useTranslation('overview')
  const [all, setAll] = useState(false)
  if (alerts.length === 0) return <Text size="sm">{t('alerts.none')}</Text>
  const shown = all ? alerts : alerts.slice(0, SHOWN)
  return (
    <Stack>
      {shown.map(alert => (
        <AlertRow key={alert.id} alert={alert} />
      ))}
      {shown.length < alerts.length && (
        <Group>
          <Button size="xs" variant="default" onClick={() => setAll(true)}>
            {t('alerts.all', { count: alerts.length })}
          </Button>
        </Group>
      )}
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
      <Text size="sm">
        {t(`alerts.hint.${alert.kind}`)}{' '}
        {alert.kind === 'ORPHANS_FOUND' && can('ADMIN') && (
          <AnchorLink to="/orphans" size="sm" underline="always">
            {t('alerts.orphans')}
          </AnchorLink>
        )}
      </Text>
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
