import { Stack } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { BackupConfig } from '@/api/schema'
import { ConfigSection } from './ConfigSection'
import { ListSetting, SelectSetting, SwitchSetting } from './fields'
import { Webhooks } from './Webhooks'

/** Who is told of what, and in which language. */
export function NotificationSettings({ config }: { config: BackupConfig }) {
  const { t } = useTranslation(['settings', 'common'])
  return (
    <Stack>
      <ConfigSection title={t('tab.notifications')} config={config} tests={['NOTIFICATION']}>
        <SwitchSetting name="notifyOnFailure" />
        <SwitchSetting name="notifyOnSuccess" />
        <ListSetting
          name="notificationEmails"
          description={t('hint.notificationEmails')}
          placeholder="ops@example.org"
        />
        <SelectSetting
          name="notificationLanguage"
          data={(['zh-TW', 'en'] as const).map(value => ({ value, label: t(`common:language.${value}`) }))}
        />
      </ConfigSection>
      <Webhooks config={config} />
    </Stack>
  )
}
