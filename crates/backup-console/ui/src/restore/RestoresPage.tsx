import { Stack, Table, Text } from '@mantine/core'
import { IconRestore } from '@tabler/icons-react'
import { keepPreviousData } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Restore } from '@/api/schema'
import { useCan } from '@/session/me'
import { StatusBadge } from '@/ui/badges'
import { CardTable } from '@/ui/CardTable'
import { FailureNotice } from '@/ui/FailureNotice'
import { Loading } from '@/ui/Loading'
import { AnchorLink, ButtonLink } from '@/ui/links'
import { PageHeader } from '@/ui/PageHeader'
import { PageLinks } from '@/ui/PageLinks'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { BackupName } from './BackupName'
import { RestoredParts } from './RestoredParts'

const route = getRouteApi('/inside/restores')

/** Restores on one page. */
const PAGE = 20

/** Every restore, and what ended one: newest first. */
export function RestoresPage() {
  const { t } = useTranslation(['restore', 'common'])
  const { page = 1 } = route.useSearch()
  const navigate = route.useNavigate()
  const can = useCan()
  const list = $api.useQuery(
    'get',
    '/api/admin/restore',
    { params: { query: { limit: PAGE, offset: (page - 1) * PAGE } } },
    { placeholderData: keepPreviousData },
  )
  return (
    <Stack>
      <PageHeader title={t('title')}>
        {can('ADMIN') && (
          <ButtonLink to="/restores/new" leftSection={<IconRestore size={18} aria-hidden />}>
            {t('begin')}
          </ButtonLink>
        )}
      </PageHeader>
      <FailureNotice error={list.error} onRetry={() => list.refetch()} />
      {list.isPending && <Loading />}
      {list.data?.restores.length === 0 && <Text size="sm">{t('none')}</Text>}
      {list.data && list.data.restores.length > 0 && (
        <CardTable
          label={t('title')}
          minWidth={640}
          isStale={list.isPlaceholderData}
          head={
            <>
              <Table.Th>{t('field.created')}</Table.Th>
              <Table.Th>{t('field.action')}</Table.Th>
              <Table.Th>{t('field.status')}</Table.Th>
              <Table.Th>{t('field.backup')}</Table.Th>
              <Table.Th>{t('field.parts')}</Table.Th>
            </>
          }
        >
          {list.data.restores.map(restore => (
            <Row key={restore.id} restore={restore} />
          ))}
        </CardTable>
      )}
      <PageLinks
        total={list.data?.total ?? 0}
        size={PAGE}
        page={page}
        onChange={to => void navigate({ search: to ? { page: to } : {} })}
      />
    </Stack>
  )
}

function Row({ restore }: { restore: Restore }) {
  const { t } = useTranslation('restore')
  const action = t(`action.${restore.action}`)
  return (
    <Table.Tr data-restore={restore.id}>
      <Table.Td>
        <AnchorLink to="/restores/$restoreId" params={{ restoreId: restore.id }} size="sm" underline="always">
          <TimeDisplay at={restore.createdAt} />
        </AnchorLink>
      </Table.Td>
      <Table.Td data-label={t('field.action')}>{action}</Table.Td>
      <Table.Td data-label={t('field.status')} maw={280}>
        <StatusBadge job={restore} label={action} />
      </Table.Td>
      <Table.Td data-label={t('field.backup')} maw={320}>
        <BackupName id={restore.backupId} />
      </Table.Td>
      <Table.Td data-label={t('field.parts')}>
        <RestoredParts options={restore.options} />
      </Table.Td>
    </Table.Tr>
  )
}
