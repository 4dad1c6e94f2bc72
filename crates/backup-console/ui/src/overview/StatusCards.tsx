import { SimpleGrid } from '@mantine/core'
import { IconClock, IconDatabase, IconPackage, IconShieldCheck, IconShieldOff } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { Status } from '@/api/schema'
import { formatSize } from '@/i18n/format'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { StatusCard } from './StatusCard'

export function StatusCards({ status }: { status: Status }) {
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, lg: 4 }}>
      <AutoBackupStatus isEnabled={status.isAutoBackupEnabled} />
      <LastBackupInfo at={savedAt(status.lastSuccessful)} />
      <StorageUsageDisplay storage={status.storage} />
      <NextScheduledBackup at={status.nextScheduled} />
    </SimpleGrid>
  )
}

/** What is made of another backup holds nothing newer than that did, however late it was made. */
function savedAt(last: Status['lastSuccessful']) {
  return last?.consolidatedFrom ? last.createdAt : last?.completedAt
}

function AutoBackupStatus({ isEnabled }: { isEnabled: boolean }) {
  const { t } = useTranslation('overview')
  return (
    <StatusCard
      title={t('card.auto')}
      value={isEnabled ? t('card.enabled') : t('card.disabled')}
      Icon={isEnabled ? IconShieldCheck : IconShieldOff}
      color={isEnabled ? 'green' : 'yellow'}
    />
  )
}

function LastBackupInfo({ at }: { at: string | null | undefined }) {
  const { t } = useTranslation('overview')
  return (
    <StatusCard
      title={t('card.last')}
      value={<TimeDisplay at={at} />}
      subtitle={at && <TimeDisplay at={at} distance />}
      Icon={IconPackage}
      color="blue"
    />
  )
}

function StorageUsageDisplay({ storage }: { storage: Status['storage'] }) {
  const { t } = useTranslation('overview')
  const { totalSizeBytes, quotaBytes, usagePercent, backupCount } = storage
  const percent = typeof usagePercent === 'number' ? `${usagePercent.toFixed(1)}% · ` : ''
  return (
    <StatusCard
      title={t('card.storage')}
      value={`${formatSize(totalSizeBytes)} / ${quotaBytes === null ? t('card.noQuota') : formatSize(quotaBytes)}`}
      subtitle={percent + t('card.backups', { count: backupCount })}
      Icon={IconDatabase}
      color="grape"
      progress={usagePercent}
    />
  )
}

function NextScheduledBackup({ at }: { at: string | null | undefined }) {
  const { t } = useTranslation('overview')
  return (
    <StatusCard
      title={t('card.next')}
      value={at ? <TimeDisplay at={at} /> : t('card.noSchedule')}
      subtitle={at && <TimeDisplay at={at} distance />}
      Icon={IconClock}
      color="gray"
    />
  )
}
