import { Alert, List, type MantineColor } from '@mantine/core'
import { IconAlertTriangle, IconShieldCheck, IconShieldX } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { Status } from '@/api/schema'
import { assessHealth, type HealthLevel } from './health'

const LOOKS: Record<HealthLevel, [MantineColor, typeof IconShieldCheck]> = {
  well: ['green', IconShieldCheck],
  attention: ['yellow', IconAlertTriangle],
  risk: ['red', IconShieldX],
}

/** One sentence that says whether the data is safe, and why not. */
export function HealthSentence({ status }: { status: Status }) {
  const { t } = useTranslation('overview')
  const { level, reasons } = assessHealth(status)
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
