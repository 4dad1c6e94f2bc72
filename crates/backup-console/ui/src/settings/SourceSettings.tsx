import { useTranslation } from 'react-i18next'
import type { BackupConfig } from '@/api/schema'
import { ConfigSection } from './ConfigSection'
import { NumberSetting, SecretSetting, TextSetting } from './fields'

/** The database that is backed up, and the files. */
export function SourceSettings({ config }: { config: BackupConfig }) {
  const { t } = useTranslation('settings')
  return (
    <ConfigSection title={t('tab.source')} config={config} tests={['DATABASE', 'FILES']}>
      <TextSetting name="databaseHost" />
      <NumberSetting name="databasePort" />
      <TextSetting name="databaseName" />
      <TextSetting name="databaseUser" />
      <SecretSetting name="databasePassword" />
      <TextSetting name="uploadDir" description={t('hint.uploadDir')} />
    </ConfigSection>
  )
}
