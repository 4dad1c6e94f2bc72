import { Button, Stack } from '@mantine/core'
import { IconCalendarPlus } from '@tabler/icons-react'
import { keepPreviousData } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { useCan } from '@/session/me'
import { FailureNotice } from '@/ui/FailureNotice'
import { Loading } from '@/ui/Loading'
import { PageHeader } from '@/ui/PageHeader'
import { PageLinks } from '@/ui/PageLinks'
import { ScheduleList } from './ScheduleList'
import type { ScheduleSearch } from './search'

const ScheduleModal = lazy(() => import('./ScheduleModal'))

const route = getRouteApi('/inside/schedules')

/** Schedules on a page. Each asks for its newest backup too. */
const PAGE = 20

/** When backups are made by themselves, and how long they are kept. */
export function SchedulesPage() {
  const { t } = useTranslation('schedules')
  const can = useCan()
  const { page = 1, create } = route.useSearch()
  const navigate = route.useNavigate()
  const change = (changes: ScheduleSearch) =>
    void navigate({ search: before => ({ ...before, ...changes }), replace: true })
  const query = { limit: PAGE, offset: (page - 1) * PAGE }
  const list = $api.useQuery(
    'get',
    '/api/admin/backup/schedule',
    { params: { query } },
    { placeholderData: keepPreviousData },
  )
  return (
    <Stack>
      <PageHeader title={t('title')}>
        {can('ADMIN') && (
          <Button
            leftSection={<IconCalendarPlus size={18} aria-hidden />}
            onClick={() => change({ create: true })}
          >
            {t('add')}
          </Button>
        )}
      </PageHeader>
      <FailureNotice error={list.error} onRetry={() => list.refetch()} />
      {list.isPending && <Loading />}
      {list.data && (
        <>
          <ScheduleList schedules={list.data.schedules} />
          <PageLinks
            total={list.data.total}
            size={PAGE}
            page={page}
            onChange={chosen => change({ page: chosen })}
          />
        </>
      )}
      {create && can('ADMIN') && (
        <Suspense>
          <ScheduleModal onClose={() => change({ create: undefined })} />
        </Suspense>
      )}
    </Stack>
  )
}
