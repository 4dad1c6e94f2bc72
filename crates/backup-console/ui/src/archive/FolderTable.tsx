import { Button, Group, Table, Text } from '@mantine/core'
import {
  IconDatabase,
  IconFile,
  IconFileArrowRight,
  IconFileUnknown,
  IconFolder,
  IconLink,
} from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Entry } from '@/api/schema'
import { formatNumber, formatSize } from '@/i18n/format'
import { CardTable } from '@/ui/CardTable'
import { FailureNotice } from '@/ui/FailureNotice'
import { Loading } from '@/ui/Loading'
import { TimeDisplay } from '@/ui/TimeDisplay'

/** Entries that are asked for at once. */
const PAGE = 100

const ICONS: Record<string, typeof IconFile> = {
  FILE: IconFile,
  DIRECTORY: IconFolder,
  SYMLINK: IconFileArrowRight,
  HARD_LINK: IconLink,
}

interface Props {
  backupId: string
  /** A folder as the server shows it; empty: the parts of the backup. */
  path: string
  /** The name of an entry, with what leads into it where it is a folder. */
  name: (entry: Entry) => ReactNode
  /** What can be done with an entry. */
  end?: ((entry: Entry) => ReactNode) | undefined
}

/** What stands in a folder of a backup, page by page. */
export function FolderTable({ backupId, path, name, end }: Props) {
  const { t } = useTranslation('archive')
  const folder = $api.useInfiniteQuery(
    'get',
    '/api/admin/backup/{id}/contents',
    { params: { path: { id: backupId }, query: { limit: PAGE, ...(path && { path }) } } },
    {
      pageParamName: 'cursor',
      // Not `undefined`, which the library would replace by 0.
      initialPageParam: null,
      getNextPageParam: page => page.nextCursor ?? undefined,
      // An archive never changes.
      staleTime: Number.POSITIVE_INFINITY,
    },
  )
  if (folder.isPending) return <Loading />
  const entries = folder.data?.pages.flatMap(page => page.entries) ?? []
  return (
    <>
      {entries.length > 0 && (
        <CardTable
          label={path || t('parts')}
          minWidth={end ? 520 : 420}
          head={
            <>
              <Table.Th>{t('field.name')}</Table.Th>
              <Table.Th>{t('field.size')}</Table.Th>
              <Table.Th>{t('field.modified')}</Table.Th>
              <Table.Th>{t('field.mode')}</Table.Th>
              {end && <Table.Th>{t('field.actions')}</Table.Th>}
            </>
          }
        >
          {entries.map(entry => (
            <Table.Tr key={entry.path} data-entry={entry.path}>
              <Table.Td maw={420}>
                <EntryName entry={entry}>{name(entry)}</EntryName>
              </Table.Td>
              <Table.Td data-label={t('field.size')}>
                {entry.kind === 'FILE' ? formatSize(entry.sizeBytes) : '-'}
              </Table.Td>
              <Table.Td data-label={t('field.modified')}>
                {entry.modifiedAt ? <TimeDisplay at={entry.modifiedAt} /> : '-'}
              </Table.Td>
              <Table.Td data-label={t('field.mode')} ff="monospace">
                {entry.mode ?? '-'}
              </Table.Td>
              {end && <Table.Td>{end(entry)}</Table.Td>}
            </Table.Tr>
          ))}
        </CardTable>
      )}
      {entries.length === 0 && !folder.error && <Text size="sm">{t('empty')}</Text>}
      <FailureNotice
        error={folder.error}
        onRetry={() => (entries.length > 0 ? folder.fetchNextPage() : folder.refetch())}
      />
      {folder.hasNextPage && !folder.error && (
        <Group justify="center">
          <Text size="sm">{t('shown', { count: formatNumber(entries.length) })}</Text>
          <Button
            variant="default"
            size="xs"
            loading={folder.isFetchingNextPage}
            onClick={() => void folder.fetchNextPage()}
          >
            {t('more')}
          </Button>
        </Group>
      )}
    </>
  )
}

function EntryName({ entry, children }: { entry: Entry; children: ReactNode }) {
  const { t } = useTranslation('archive')
  const Icon = entry.path === 'database' ? IconDatabase : (ICONS[entry.kind] ?? IconFileUnknown)
  return (
    <Group gap={6} wrap="nowrap" align="flex-start">
      <Icon size={18} aria-hidden style={{ flexShrink: 0 }} />
      <div style={{ minWidth: 0 }}>
        {children}
        {entry.target && (
          <Text size="xs" className="wrap-anywhere">
            {entry.kind === 'SYMLINK'
              ? t('symlink', { target: entry.target })
              : t('hardLink', { target: entry.target })}
          </Text>
        )}
      </div>
    </Group>
  )
}
