import { Alert, Button, Stack, Text } from '@mantine/core'
import { IconAlertTriangle, IconRefresh } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { FailureNotice } from '@/ui/FailureNotice'
import { Loading } from '@/ui/Loading'
import { PageHeader } from '@/ui/PageHeader'
import { OrphanTable } from './OrphanTable'

/** What catalog and storage do not have in common, and what may be done about each. */
export function OrphansPage() {
  const { t } = useTranslation('orphans')
  // The storages are looked through for it: only when somebody opens the page, or asks.
  const list = $api.useQuery('get', '/api/admin/backup/orphans', {}, { staleTime: 0 })
  return (
    <Stack>
      <PageHeader title={t('title')}>
        <Button
          variant="default"
          leftSection={<IconRefresh size={18} aria-hidden />}
          loading={list.isFetching}
          onClick={() => void list.refetch()}
        >
          {t('again')}
        </Button>
      </PageHeader>
      <Text size="sm">{t('about')}</Text>
      <FailureNotice error={list.error} onRetry={() => list.refetch()} />
      {list.isPending && <Loading />}
      {list.data?.unreachable.map(({ configKey, problem }) => (
        <Alert
          key={configKey}
          color="yellow"
          icon={<IconAlertTriangle aria-hidden />}
          title={t('unreachable', { config: configKey })}
        >
          <Text size="sm" className="wrap-anywhere" lang="en">
            {problem}
          </Text>
        </Alert>
      ))}
      {list.data?.orphans.length === 0 && <Text role="status">{t('none')}</Text>}
      {list.data && list.data.orphans.length > 0 && <OrphanTable orphans={list.data.orphans} />}
      {list.data?.more && <Text size="sm">{t('more', { count: list.data.orphans.length })}</Text>}
    </Stack>
  )
}
