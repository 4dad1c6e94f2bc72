import { Alert, Button, Group, List, Progress, Stack, Text } from '@mantine/core'
import { IconAlertCircle } from '@tabler/icons-react'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Restore } from '@/api/schema'
import { BackupWarnings } from '@/backups/detail/BackupWarnings'
import { timings } from '@/backups/detail/timings'
import { formatDuration } from '@/i18n/format'
import { useCan } from '@/session/me'
import { isActive, StatusBadge } from '@/ui/badges'
import { CancelModal } from '@/ui/CancelModal'
import { Fact, Facts } from '@/ui/Facts'
import { JobLog } from '@/ui/JobLog'
import { AnchorLink, ButtonLink } from '@/ui/links'
import { PageHeader } from '@/ui/PageHeader'
import { Section } from '@/ui/Section'
import { StepTable } from '@/ui/StepTable'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { BackupName } from './BackupName'
import { ReplacementState } from './ReplacementState'
import { RestoredParts } from './RestoredParts'

const route = getRouteApi('/inside/restores/$restoreId')

/** One restore as it goes on, what came of it, and how it is confirmed or taken back. */
export function RestorePage() {
  const { restoreId } = route.useParams()
  // Another one begins anew, with no question open.
  return <OneRestore key={restoreId} restoreId={restoreId} />
}

function OneRestore({ restoreId }: { restoreId: string }) {
  const { t } = useTranslation(['restore', 'detail', 'common'])
  const can = useCan()
  const [asks, setAsks] = useState(false)
  const { restore } = $api.useSuspenseQuery('get', '/api/admin/restore/{id}', {
    params: { path: { id: restoreId } },
  }).data
  return (
    <Stack>
      <PageHeader title={t(`action.${restore.action}`)}>
        <Group gap="xs">
          {isActive(restore) && can('OPERATE') && (
            <Button variant="default" disabled={restore.cancelRequested} onClick={() => setAsks(true)}>
              {restore.cancelRequested ? t('cancel.asked') : t('cancel.action')}
            </Button>
          )}
          <ButtonLink to="/restores" variant="default">
            {t('back')}
          </ButtonLink>
        </Group>
      </PageHeader>
      <RestoreProgress restore={restore} />
      {restore.replacement && (
        <Section title={t('replacement.title')}>
          <ReplacementState restore={restore} replacement={restore.replacement} />
        </Section>
      )}
      {restore.warnings.length > 0 && (
        <Section title={t('detail:warnings.title')}>
          <BackupWarnings warnings={restore.warnings} />
        </Section>
      )}
      <Section title={t('facts.title')}>
        <RestoreFacts restore={restore} />
      </Section>
      {restore.steps.length > 0 && (
        <Section title={t('common:step.title')}>
          <StepTable steps={restore.steps} />
        </Section>
      )}
      {restore.log.length > 0 && (
        <Section title={t('common:log.title')}>
          <JobLog lines={restore.log} />
        </Section>
      )}
      {asks && <CancelModal kind="restore" job={{ id: restore.id }} onClose={() => setAsks(false)} />}
    </Stack>
  )
}

/** How far it is, said aloud as it goes on; where it failed, why. */
function RestoreProgress({ restore }: { restore: Restore }) {
  const { t } = useTranslation(['restore', 'common'])
  const label = t(`action.${restore.action}`)
  return (
    <Stack gap="xs" data-restore-status={restore.status}>
      {isActive(restore) ? (
        <>
          <Text fw={600} role="status" className="wrap-anywhere">
            {t(`common:status.${restore.status}`)} · {restore.currentStep}
          </Text>
          <Progress.Root size="lg">
            <Progress.Section value={restore.progress} aria-label={label} />
          </Progress.Root>
          <Text size="sm">{restore.progress}%</Text>
        </>
      ) : (
        <Group role="status">
          {/* Its reason is told in full below. */}
          <StatusBadge job={{ ...restore, errorMessage: null }} label={label} />
          <Text size="sm">{restore.currentStep}</Text>
        </Group>
      )}
      {restore.errorMessage && (
        <Alert color="red" role="alert" title={t('failed')} icon={<IconAlertCircle aria-hidden />}>
          <Text size="sm" className="wrap-anywhere" lang="en">
            {restore.errorMessage}
          </Text>
        </Alert>
      )}
    </Stack>
  )
}

function RestoreFacts({ restore }: { restore: Restore }) {
  const { t } = useTranslation('restore')
  const { options } = restore
  const { took } = timings(restore)
  return (
    <Facts>
      <Fact name={t('field.backup')}>
        <BackupName id={restore.backupId} />
      </Fact>
      {restore.ofRestoreId && (
        <Fact name={t('facts.of')}>
          <AnchorLink
            to="/restores/$restoreId"
            params={{ restoreId: restore.ofRestoreId }}
            size="sm"
            underline="always"
          >
            {t('facts.ofLink')}
          </AnchorLink>
        </Fact>
      )}
      <Fact name={t('field.created')}>
        <TimeDisplay at={restore.createdAt} />
      </Fact>
      {restore.createdByUser && <Fact name={t('facts.by')}>{restore.createdByUser.displayName}</Fact>}
      {restore.completedAt && (
        <Fact name={t('facts.ended')}>
          <TimeDisplay at={restore.completedAt} />
        </Fact>
      )}
      {took !== null && <Fact name={t('facts.took')}>{formatDuration(took)}</Fact>}
      <Fact name={t('target.mode')}>{t(`mode.${options.mode}`)}</Fact>
      <Fact name={t('field.parts')}>
        <RestoredParts options={options} />
      </Fact>
      {options.targetDatabase && <Fact name={t('target.database')}>{options.targetDatabase}</Fact>}
      {options.targetDir && <Fact name={t('target.dir')}>{options.targetDir}</Fact>}
      {options.tables.length > 0 && (
        <Fact name={t('scope.tables')}>
          <Names names={options.tables} />
        </Fact>
      )}
      {options.paths.length > 0 && (
        <Fact name={t('facts.paths')}>
          <Names names={options.paths} />
        </Fact>
      )}
      {restore.safetyBackupId && (
        <Fact name={t('facts.safety')}>
          <BackupName id={restore.safetyBackupId} />
        </Fact>
      )}
    </Facts>
  )
}

function Names({ names }: { names: string[] }) {
  return (
    <List size="sm">
      {names.map(name => (
        <List.Item key={name} className="wrap-anywhere">
          {name}
        </List.Item>
      ))}
    </List>
  )
}
