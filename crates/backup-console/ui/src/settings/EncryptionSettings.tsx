import { Alert, Code, Text } from '@mantine/core'
import { useWatch } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import type { BackupConfig } from '@/api/schema'
import { AnchorLink } from '@/ui/links'
import { ConfigSection, useSettings } from './ConfigSection'
import { SecretSetting, SwitchSetting } from './fields'

/** Whether archives are encrypted, and with which key. */
export function EncryptionSettings({ config }: { config: BackupConfig }) {
  const { t } = useTranslation('settings')
  return (
    <ConfigSection title={t('tab.encryption')} config={config}>
      {config.keyFingerprint ? (
        <Text size="sm">
          {t('key.fingerprint')} <Code>{config.keyFingerprint}</Code>
        </Text>
      ) : (
        <Alert color="red">{t('key.sealed')}</Alert>
      )}
      <SwitchSetting name="encryptionEnabled" />
      <PlainWarning />
      <SecretSetting name="encryptionKey" description={t('hint.encryptionKey')} />
      <AnchorLink to="/recovery" size="sm" underline="always">
        {t('recovery.open')}
      </AnchorLink>
    </ConfigSection>
  )
}

function PlainWarning() {
  const { t } = useTranslation('settings')
  const { form } = useSettings()
  const isEncrypted = useWatch({ control: form.control, name: 'encryptionEnabled' })
  return isEncrypted ? null : <Alert color="yellow">{t('key.plain')}</Alert>
}
