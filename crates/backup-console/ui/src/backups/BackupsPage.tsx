import { Stack } from '@mantine/core'
import { keepPreviousData } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { formatNumber } from '@/i18n/format'
import { FailureNotice } from '@/ui/FailureNotice'
import { Loading } from '@/ui/Loading'
import { PageHeader } from '@/ui/PageHeader'
import { BackupFilters } from './BackupFilters'
import { BackupListTable } from './BackupListTable'
import { CreateButtons } from './CreateButtons'
import { Pages } from './Pages'
import { type BackupSearch, toQuery } from './search'

const route = getRouteApi('/inside/backups')

/** Every backup: filtered, sorted and paged by the server; what is shown stands in the address. */
export function BackupsPage() {
  const { t } = useTranslation('backups')
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const list = $api.useQuery(
    'get',
    '/api/admin/backup',
    { params: { query: toQuery(search) } },
    // The rows before stay until the next ones are there.
    { placeholderData: keepPreviousData },
  )
  const change = (changes: Partial<BackupSearch>) =>
    void navigate({ search: before => ({ ...before, page: undefined, ...changes }), replace: true })
  const { data } = list
  const total = data && formatNumber(data.total)
  return (
    <Stack>
      <PageHeader
        title={t('title')}
        heading={total && (data.totalIsExact ? t('titleCount', { total }) : t('titleMore', { total }))}
      />
      <CreateButtons />
      <BackupFilters search={search} onChange={change} />
      <FailureNotice error={list.error} onRetry={() => list.refetch()} />
      {data ? (
        <>
          <BackupListTable
            backups={data.backups}
            search={search}
            onChange={change}
            isStale={list.isPlaceholderData}
          />
          <Pages list={data} search={search} onChange={change} />
        </>
      ) : (
        list.isPending && <Loading />
      )}
    </Stack>
  )
}
