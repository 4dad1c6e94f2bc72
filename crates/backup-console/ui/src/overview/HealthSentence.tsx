import { Alert, List, type MantineColor } from '@mantine/core'
import { IconAlertTriangle, IconShieldCheck, IconShieldX } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { formatTime } from '@/i18n/format'
import { assessHealth, type HealthLevel } from './health'

const LOOKS: Record<HealthLevel, [MantineColor, typeof IconShieldCheck]> = {
  well: ['green', IconShieldCheck],
  attention: ['yellow', IconAlertTriangle],
  risk: ['red', IconShieldX],
}

/** One sentence that says whether the data is safe, and why not. */
export function HealthSentence() {
  const { t } = useTranslation('overview')
  // As of when it was told: what happened since then is not known while the server is away.
  const { data, dataUpdatedAt } = $api.useSuspenseQuery('get', '/api/admin/backup/status')
  const { level, reasons } = assessHealth(data, dataUpdatedAt)
  const [color, Icon] = LOOKS[level]
  return (
    <Alert
      color={color}
      title={t(`health.${level}`)}
      icon={<Icon aria-hidden />}
      data-health={level}
      role="status"
    >
      {reasons.length > 0 && (
        <List size="sm">
          {reasons.map(reason => (
            <List.Item key={reason.key}>
              {reason.key === 'storage'
                ? t('health.reason.storage', { percent: `${reason.percent.toFixed(1)}%` })
                : reason.key === 'notFired'
                  ? t('health.reason.notFired', { time: formatTime(reason.dueAt) })
                  : 'count' in reason
                    ? t(`health.reason.${reason.key}`, { count: reason.count })
                    : t(`health.reason.${reason.key}`)}
            </List.Item>
          ))}
        </List>
      )}
    </Alert>
  )
}
