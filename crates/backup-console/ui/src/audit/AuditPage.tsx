import { Button, Group, Stack, Text } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { keepPreviousData } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { serverUrl } from '@/api/base'
import { $api } from '@/api/client'
import { formatNumber } from '@/i18n/format'
import { FailureNotice } from '@/ui/FailureNotice'
import { Loading } from '@/ui/Loading'
import { PageHeader } from '@/ui/PageHeader'
import { PageLinks } from '@/ui/PageLinks'
import { AuditFilters } from './AuditFilters'
import { AuditTable } from './AuditTable'
import { type AuditSearch, isNarrowed, PAGE, toFilter } from './search'

const route = getRouteApi('/inside/audit')

/** Who did what, when and from where. */
export function AuditPage() {
  const { t } = useTranslation('audit')
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const change = (changes: AuditSearch) =>
    void navigate({ search: before => ({ ...before, page: undefined, ...changes }), replace: true })
  const filter = toFilter(search)
  const query = { ...filter, limit: PAGE, offset: ((search.page ?? 1) - 1) * PAGE }
  const list = $api.useQuery(
    'get',
    '/api/admin/audit',
    { params: { query } },
    // Nothing tells of new entries: whoever opens the page sees what there is now.
    { placeholderData: keepPreviousData, staleTime: 0 },
  )
  const { data } = list
  return (
    <Stack>
      <PageHeader
        title={t('title')}
        heading={data ? t('titleCount', { total: formatNumber(data.total) }) : undefined}
      >
        <Button
          component="a"
          href={serverUrl('api/admin/audit/export', filter as Record<string, string>)}
          download
          variant="default"
          leftSection={<IconDownload size={18} aria-hidden />}
        >
          {isNarrowed(search) ? t('exportFiltered') : t('export')}
        </Button>
      </PageHeader>
      <AuditFilters search={search} onChange={change} />
      <FailureNotice error={list.error} onRetry={() => list.refetch()} />
      {list.isPending && <Loading />}
      {data && (
        <>
          {data.entries.length === 0 ? (
            <Text>{t('empty')}</Text>
          ) : (
            <AuditTable entries={data.entries} isStale={list.isPlaceholderData} onChange={change} />
          )}
          <Group justify="flex-end">
            <PageLinks
              total={data.total}
              size={PAGE}
              page={search.page}
              onChange={page => change({ page })}
            />
          </Group>
        </>
      )}
    </Stack>
  )
}
