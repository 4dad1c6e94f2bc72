import { Badge, Box, Group, Stack, Table, Text } from '@mantine/core'
import { keepPreviousData } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Backup, RetentionPreview as Question, RetentionDecision } from '@/api/schema'
import { formatSize } from '@/i18n/format'
import { FailureNotice } from '@/ui/FailureNotice'
import { Loading } from '@/ui/Loading'
import { TimeDisplay } from '@/ui/TimeDisplay'

/** Backups that are listed; those that go come first. */
const LISTED = 100
/** Backups whose names are known: as many as the server gives at once. */
const KNOWN = 200

/** What retention would keep and delete now. Nothing is changed. */
export function RetentionPreview({ of }: { of: Question }) {
  const { t } = useTranslation('schedules')
  const plan = $api.useQuery(
    'post',
    '/api/admin/backup/retention/preview',
    { body: of },
    { placeholderData: keepPreviousData, staleTime: 0 },
  )
  const owner = of.scheduleId ? { scheduleId: of.scheduleId } : { configKey: of.configKey ?? 'default' }
  const query = { ...owner, status: 'COMPLETED', limit: KNOWN } as const
  const backups = $api.useQuery('get', '/api/admin/backup', { params: { query } })
  return (
    <Stack gap="xs">
      <Text size="xs">{of.scheduleId ? t('preview.ofSchedule') : t('preview.ofConfig')}</Text>
      <FailureNotice error={plan.error ?? backups.error} onRetry={() => plan.refetch()} />
      {plan.isPending && <Loading />}
      {plan.data && <Decisions decisions={plan.data.decisions} backups={backups.data?.backups ?? []} />}
    </Stack>
  )
}

function Decisions({ decisions, backups }: { decisions: RetentionDecision[]; backups: Backup[] }) {
  const { t } = useTranslation('schedules')
  if (decisions.length === 0) return <Text size="sm">{t('preview.none')}</Text>
  const known = new Map(backups.map(backup => [backup.id, backup]))
  const gone = decisions.filter(({ decision }) => decision === 'EXPIRE')
  const kept = decisions.filter(({ decision }) => decision === 'KEEP')
  const freed = gone.reduce((sum, { backupId }) => sum + (known.get(backupId)?.sizeBytes ?? 0), 0)
  const listed = [...gone, ...kept].slice(0, LISTED)
  return (
    <>
      <Group gap="xs" role="status">
        <Badge color="green" variant="light" autoContrast>
          {t('preview.keep', { count: kept.length })}
        </Badge>
        <Badge color={gone.length > 0 ? 'red' : 'gray'} variant="light" autoContrast>
          {t('preview.expire', { count: gone.length })}
        </Badge>
        {freed > 0 && <Text size="sm">{t('preview.freed', { size: formatSize(freed) })}</Text>}
      </Group>
      <Box
        component="section"
        aria-label={t('preview.title')}
        // What scrolls is to be reached by keyboard.
        tabIndex={0}
        mah={280}
        style={{ overflow: 'auto' }}
      >
        <Table fz="sm" stickyHeader>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('preview.backup')}</Table.Th>
              <Table.Th>{t('preview.size')}</Table.Th>
              <Table.Th>{t('preview.decision')}</Table.Th>
              <Table.Th>{t('preview.why')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {listed.map(each => (
              <DecisionRow key={each.backupId} decision={each} backup={known.get(each.backupId)} />
            ))}
          </Table.Tbody>
        </Table>
      </Box>
      {decisions.length > listed.length && (
        <Text size="xs">{t('preview.more', { count: decisions.length - listed.length })}</Text>
      )}
    </>
  )
}

function DecisionRow({ decision, backup }: { decision: RetentionDecision; backup: Backup | undefined }) {
  const { t } = useTranslation('schedules')
  const goes = decision.decision === 'EXPIRE'
  return (
    <Table.Tr data-decision={decision.decision}>
      <Table.Td className="wrap-anywhere">
        {backup ? <TimeDisplay at={backup.createdAt} /> : decision.backupId}
      </Table.Td>
      <Table.Td>{formatSize(backup?.sizeBytes)}</Table.Td>
      <Table.Td>
        <Badge color={goes ? 'red' : 'green'} variant="light" autoContrast>
          {t(`preview.${decision.decision}`)}
        </Badge>
      </Table.Td>
      <Table.Td>
        {decision.rules.map(rule => t(`preview.rule.${rule}`)).join(t('retention.separator'))}
      </Table.Td>
    </Table.Tr>
  )
}
