import { Alert, Group, Stack, Text } from '@mantine/core'
import { IconAlertCircle, IconFolderOpen, IconLock, IconRestore } from '@tabler/icons-react'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { useCan } from '@/session/me'
import { SourceBadge, StatusBadge, TriggerBadge, TypeBadge } from '@/ui/badges'
import { JobLog } from '@/ui/JobLog'
import { ButtonLink } from '@/ui/links'
import { PageHeader } from '@/ui/PageHeader'
import { Section } from '@/ui/Section'
import { StepTable } from '@/ui/StepTable'
import { BackupActions } from '../BackupActions'
import { BackupFacts } from './BackupFacts'
import { BackupHistory } from './BackupHistory'
import { BackupRestores } from './BackupRestores'
import { BackupWarnings } from './BackupWarnings'
import { Chain } from './Chain'
import { ContentsTable } from './ContentsTable'
import { Verification } from './Verification'

const route = getRouteApi('/inside/backups/$backupId')

/** Everything about one backup, and what can be done with it. */
export function BackupDetailPage() {
  const { t } = useTranslation(['detail', 'common'])
  const { backupId } = route.useParams()
  const navigate = useNavigate()
  const can = useCan()
  const { backup } = $api.useSuspenseQuery('get', '/api/admin/backup/{id}', {
    params: { path: { id: backupId } },
  }).data
  const isGood = backup.status === 'COMPLETED' && !backup.deleting
  return (
    <Stack>
      <PageHeader title={backup.name} heading={<span className="wrap-anywhere">{backup.name}</span>}>
        <Group gap="xs">
          {isGood && (
            <ButtonLink
              to="/backups/$backupId/contents"
              params={{ backupId }}
              variant="default"
              leftSection={<IconFolderOpen size={18} aria-hidden />}
            >
              {t('action.browse')}
            </ButtonLink>
          )}
          {isGood && can('ADMIN') && (
            <ButtonLink
              to="/restores/new"
              search={{ backup: backupId }}
              leftSection={<IconRestore size={18} aria-hidden />}
            >
              {t('action.restore')}
            </ButtonLink>
          )}
          <BackupActions backup={backup} onDeleted={() => void navigate({ to: '/backups' })} />
        </Group>
      </PageHeader>
      <Group gap="xs" align="flex-start">
        <StatusBadge job={{ ...backup, errorMessage: null }} label={backup.name} />
        <TypeBadge type={backup.type} />
        <SourceBadge source={backup.source} />
        <TriggerBadge trigger={backup.trigger} />
        {backup.protected && (
          <Group gap={4}>
            <IconLock size={16} aria-hidden />
            <Text size="sm">{t('protected')}</Text>
          </Group>
        )}
        {backup.deleting && <Text size="sm">{t('deleting')}</Text>}
      </Group>
      {backup.errorMessage && (
        <Alert color="red" role="alert" title={t('failed')} icon={<IconAlertCircle aria-hidden />}>
          <Text size="sm" className="wrap-anywhere" lang="en">
            {backup.errorMessage}
          </Text>
        </Alert>
      )}
      <Section title={t('facts.title')}>
        <BackupFacts backup={backup} />
      </Section>
      {backup.steps.length > 0 && (
        <Section title={t('common:step.title')}>
          <StepTable steps={backup.steps} />
        </Section>
      )}
      {backup.log.length > 0 && (
        <Section title={t('common:log.title')}>
          <JobLog lines={backup.log} />
        </Section>
      )}
      {backup.contents && (
        <Section title={t('contents.title')}>
          <ContentsTable contents={backup.contents} />
        </Section>
      )}
      {backup.warnings.length > 0 && (
        <Section title={t('warnings.title')}>
          <BackupWarnings warnings={backup.warnings} />
        </Section>
      )}
      {isGood && (
        <>
          <Section title={t('verify.title')}>
            <Verification key={backup.id} backup={backup} />
          </Section>
          <Section title={t('chain.title')}>
            <Chain backup={backup} />
          </Section>
          <Section title={t('restores.title')}>
            <BackupRestores restores={backup.restores} />
          </Section>
        </>
      )}
      {can('ADMIN') && (
        <Section title={t('history.title')}>
          <BackupHistory backupId={backup.id} />
        </Section>
      )}
    </Stack>
  )
}
