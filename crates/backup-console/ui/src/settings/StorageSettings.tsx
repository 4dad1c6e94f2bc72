import { Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { BackupConfig } from '@/api/schema'
import { ConfigSection } from './ConfigSection'
import { SecretSetting, SelectSetting, SwitchSetting, TextSetting } from './fields'

/** Where backups are kept, and how small. */
export function StorageSettings({ config }: { config: BackupConfig }) {
  const { t } = useTranslation('settings')
  return (
    <ConfigSection title={t('tab.storage')} config={config} tests={['STORAGE']}>
      <Text size="sm" className="wrap-anywhere">
        {t('storage.now', { storage: config.storage })}
      </Text>
      <TextSetting name="storageUrl" description={t('hint.storageUrl')} placeholder="s3://BUCKET/PREFIX" />
      <SecretSetting name="storageConnectionString" description={t('hint.storageConnectionString')} />
      <TextSetting name="containerName" description={t('hint.containerName')} />
      <SwitchSetting name="compressionEnabled" />
      <SelectSetting
        name="compressionAlgorithm"
        data={(['gzip', 'zstd', 'none'] as const).map(value => ({ value, label: t(`codec.${value}`) }))}
      />
    </ConfigSection>
  )
}
