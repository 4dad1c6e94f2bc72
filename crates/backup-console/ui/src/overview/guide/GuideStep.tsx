import { Button, Checkbox, Code, Group, Stack, Text } from '@mantine/core'
import { IconPrinter, IconRefresh, IconShieldCheck } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { BackupConfig, Status, TestConfig } from '@/api/schema'
import { useCreateBackup } from '@/backups/useCreateBackup'
import { VerifyState } from '@/backups/VerifyState'
import type { ConfigTab } from '@/settings/search'
import { FailureNotice } from '@/ui/FailureNotice'
import { ButtonLink } from '@/ui/links'
import { setPassed, useProgress } from './progress'
import type { Step } from './steps'
import { SettingsLink, Trial } from './Trial'

interface Props {
  step: Step
  isDone: boolean
  config: BackupConfig
  status: Status
  /** Somebody has taken the step here: on to the next one. */
  onPassed: () => void
}

/** What a step is about, and what is to be done for it. */
export function GuideStep({ step, isDone, config, status, onPassed }: Props) {
  const { t } = useTranslation('guide')
  const trial = (what: TestConfig['what'], tab: ConfigTab, now: string) => (
    <Trial
      what={what}
      tab={tab}
      now={now}
      onPassed={() => {
        setPassed(step)
        onPassed()
      }}
    />
  )
  const parts: Record<Step, () => ReactNode> = {
    database: () => trial('DATABASE', 'source', databaseOf(config) ?? t('database.none')),
    folder: () => trial('FILES', 'source', config.uploadDir),
    storage: () => trial('STORAGE', 'storage', config.storage),
    key: () => <KeepKey config={config} onKept={onPassed} />,
    backup: () => <FirstBackup isActive={status.activeBackups + status.queuedBackups > 0} />,
    verify: () => <FirstDrill backup={status.lastSuccessful} />,
    schedule: () => (
      <ButtonLink to="/schedules" search={{ create: true }} size="xs">
        {t('schedule.add')}
      </ButtonLink>
    ),
    notification: () =>
      isDone ? (
        trial('NOTIFICATION', 'notifications', addresses(config))
      ) : (
        <SettingsLink tab="notifications" variant="filled" />
      ),
  }
  return (
    <Stack gap="sm" align="flex-start">
      <Text size="sm">{t(`${step}.hint`)}</Text>
      {parts[step]()}
    </Stack>
  )
}

function databaseOf({ databaseName, databaseHost, databasePort }: BackupConfig): string | null {
  return databaseName ? `${databaseName} @ ${databaseHost}:${databasePort}` : null
}

function addresses({ notificationEmails, webhooks }: BackupConfig): string {
  return [...notificationEmails, ...webhooks.map(({ name }) => name)].join(', ')
}

/** The key is shown by its name alone; whether it is kept elsewhere only the person knows. */
function KeepKey({ config, onKept }: { config: BackupConfig; onKept: () => void }) {
  const { t } = useTranslation('guide')
  const isKept = useProgress().passed.includes('key')
  return (
    <>
      {config.keyFingerprint && (
        <Text size="sm">
          {t('key.fingerprint')} <Code>{config.keyFingerprint}</Code>
        </Text>
      )}
      <ButtonLink to="/recovery" size="xs" leftSection={<IconPrinter size={16} aria-hidden />}>
        {t('key.sheet')}
      </ButtonLink>
      <Checkbox
        label={t('key.kept')}
        checked={isKept}
        onChange={({ currentTarget: { checked } }) => {
          setPassed('key', checked)
          if (checked) onKept()
        }}
      />
    </>
  )
}

function FirstBackup({ isActive }: { isActive: boolean }) {
  const { t } = useTranslation(['guide', 'backups'])
  const create = useCreateBackup()
  const description = t('backups:create.default')
  return (
    <>
      <Button
        size="xs"
        leftSection={<IconRefresh size={16} aria-hidden />}
        loading={create.isPending}
        disabled={isActive}
        onClick={() => create.mutate({ body: { type: 'FULL', source: 'FULL_SYSTEM', description } })}
      >
        {t('backup.start')}
      </Button>
      {isActive && (
        <Text size="sm" role="status">
          {t('backup.running')}
        </Text>
      )}
      <FailureNotice error={create.error} title={t('backups:create.failed')} />
    </>
  )
}

function FirstDrill({ backup }: { backup: Status['lastSuccessful'] }) {
  const { t } = useTranslation('guide')
  const verify = $api.useMutation('post', '/api/admin/backup/{id}/verify')
  if (!backup) return <Text size="sm">{t('verify.none')}</Text>
  return (
    <>
      <VerifyState backup={backup} />
      <Group gap="xs">
        <Button
          size="xs"
          leftSection={<IconShieldCheck size={16} aria-hidden />}
          loading={verify.isPending}
          onClick={() => verify.mutate({ params: { path: { id: backup.id } }, body: { level: 'RESTORE' } })}
        >
          {t('verify.start')}
        </Button>
        <ButtonLink to="/backups/$backupId" params={{ backupId: backup.id }} size="xs" variant="default">
          {t('verify.other')}
        </ButtonLink>
      </Group>
      {verify.isSuccess && (
        <Text size="sm" role="status">
          {t('verify.running')}
        </Text>
      )}
      <FailureNotice error={verify.error} title={t('verify.failed')} />
    </>
  )
}
