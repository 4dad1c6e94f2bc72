import { Progress, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { BackupConfig } from '@/api/schema'
import { formatSize } from '@/i18n/format'
import { ConfigSection } from './ConfigSection'
import { ListSetting, NumberSetting, SelectSetting } from './fields'

const GIB = 1024 ** 3

/** How much the backups may take up, when somebody is told, and how many jobs may run at once. */
export function QuotaSettings({ config }: { config: BackupConfig }) {
  const { t } = useTranslation('settings')
  return (
    <ConfigSection title={t('tab.quota')} config={config}>
      <Usage config={config} />
      <NumberSetting name="quotaGigabytes" suffix=" GB" />
      <SelectSetting
        name="quotaPolicy"
        data={(['WARN', 'REFUSE'] as const).map(value => ({ value, label: t(`quota.${value}`) }))}
      />
      <ListSetting
        name="usageAlertPercents"
        description={t('hint.usageAlertPercents')}
        accepts={entry => /^\d+$/.test(entry)}
      />
      <NumberSetting name="verifyWithinDays" description={t('hint.verifyWithinDays')} />
      <NumberSetting name="maxConcurrentJobs" description={t('hint.maxConcurrentJobs')} />
    </ConfigSection>
  )
}

function Usage({ config }: { config: BackupConfig }) {
  const { t } = useTranslation('settings')
  const quota = config.quotaGigabytes ? config.quotaGigabytes * GIB : null
  const values = { used: formatSize(config.totalSizeBytes), count: config.backupCount }
  return (
    <Stack gap={4}>
      <Text size="sm">
        {quota ? t('quota.used', { ...values, quota: formatSize(quota) }) : t('quota.unlimited', values)}
      </Text>
      {quota && (
        <Progress.Root size="sm">
          <Progress.Section value={(config.totalSizeBytes / quota) * 100} aria-label={t('tab.quota')} />
        </Progress.Root>
      )}
    </Stack>
  )
}
