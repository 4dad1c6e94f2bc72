import { Button, Stack, Text } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useMutation } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Entry } from '@/api/schema'
import { useCan } from '@/session/me'
import { FailureNotice } from '@/ui/FailureNotice'
import { AnchorLink, ButtonLink } from '@/ui/links'
import { PageHeader } from '@/ui/PageHeader'
import { FolderTable } from './FolderTable'
import { fetchFile } from './fetchFile'
import { PathTrail } from './PathTrail'

const route = getRouteApi('/inside/backups/$backupId/contents')

/** Looks into a backup without restoring it, and fetches single files. */
export function ArchivePage() {
  const { t } = useTranslation('archive')
  const { backupId } = route.useParams()
  const { path = '' } = route.useSearch()
  const can = useCan()
  const { backup } = $api.useSuspenseQuery('get', '/api/admin/backup/{id}', {
    params: { path: { id: backupId } },
  }).data
  const link = (to: string, name: string) => (
    <AnchorLink
      to="/backups/$backupId/contents"
      params={{ backupId }}
      search={to ? { path: to } : {}}
      size="sm"
      underline="always"
      className="wrap-anywhere"
    >
      {name}
    </AnchorLink>
  )
  const name = (entry: Entry) =>
    entry.kind === 'DIRECTORY' ? (
      link(entry.path, entry.name)
    ) : (
      <Text size="sm" className="wrap-anywhere">
        {entry.name}
      </Text>
    )
  return (
    <Stack>
      <PageHeader title={t('title')}>
        <ButtonLink to="/backups/$backupId" params={{ backupId }} variant="default">
          {t('back')}
        </ButtonLink>
      </PageHeader>
      <Text size="sm" className="wrap-anywhere">
        {backup.name}
      </Text>
      <PathTrail path={path} link={link} />
      <FolderTable
        key={path}
        backupId={backupId}
        path={path}
        name={name}
        end={can('ADMIN') ? entry => <FetchFile backupId={backupId} entry={entry} /> : undefined}
      />
    </Stack>
  )
}

function FetchFile({ backupId, entry }: { backupId: string; entry: Entry }) {
  const { t } = useTranslation('archive')
  const fetching = useMutation({ mutationFn: () => fetchFile(backupId, entry.path) })
  if (entry.kind !== 'FILE' && entry.kind !== 'HARD_LINK') return null
  return (
    <Stack gap={4} align="flex-start">
      <Button
        size="compact-xs"
        variant="default"
        leftSection={<IconDownload size={14} aria-hidden />}
        loading={fetching.isPending}
        onClick={() => fetching.mutate()}
        aria-label={t('fetch', { name: entry.name })}
      >
        {t('download')}
      </Button>
      <FailureNotice error={fetching.error} title={t('fetchFailed')} />
    </Stack>
  )
}
