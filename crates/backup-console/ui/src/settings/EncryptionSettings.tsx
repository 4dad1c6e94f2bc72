import { Alert, Code, PasswordInput, Text } from '@mantine/core'
import { useWatch } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import type { BackupConfig } from '@/api/schema'
import { useCan } from '@/session/me'
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
      <PassphraseAgain />
      <AnchorLink to="/recovery" size="sm" underline="always">
        {t('recovery.open')}
      </AnchorLink>
    </ConfigSection>
  )
}

/** Backups with a mistyped passphrase are good, and nobody opens them who has kept the one that was meant. */
function PassphraseAgain() {
  const { t } = useTranslation('settings')
  const can = useCan()
  const { form } = useSettings()
  if (!can('ADMIN')) return null
  return (
    <PasswordInput
      label={t('key.again')}
      autoComplete="new-password"
      error={form.formState.errors.encryptionKeyAgain && t('key.differs')}
      {...form.register('encryptionKeyAgain', {
        validate: (again, { encryptionKey }) => again === encryptionKey,
      })}
    />
  )
}

function PlainWarning() {
  const { t } = useTranslation('settings')
  const { form } = useSettings()
  const isEncrypted = useWatch({ control: form.control, name: 'encryptionEnabled' })
  return isEncrypted ? null : <Alert color="yellow">{t('key.plain')}</Alert>
}
