import { Group, Table, Text, UnstyledButton } from '@mantine/core'
import { IconArrowDown, IconArrowsSort, IconArrowUp } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Backup } from '@/api/schema'
import { CardTable } from '@/ui/CardTable'
import { BackupRow } from './BackupRow'
import { type BackupSearch, isNarrowed } from './search'

interface Props {
  backups: Backup[]
  search: BackupSearch
  onChange: (changes: Partial<BackupSearch>) => void
  /** The rows are those of the question before. */
  isStale: boolean
}

export function BackupListTable({ backups, search, onChange, isStale }: Props) {
  const { t } = useTranslation('backups')
  const sorting = { search, onChange }
  return (
    <CardTable
      label={t('title')}
      minWidth={900}
      isStale={isStale}
      head={
        <>
          <Table.Th>{t('field.name')}</Table.Th>
          <Table.Th>{t('field.type')}</Table.Th>
          <Table.Th>{t('field.source')}</Table.Th>
          <Table.Th>{t('field.status')}</Table.Th>
          <SortableTh by="sizeBytes" {...sorting}>
            {t('field.size')}
          </SortableTh>
          <SortableTh by="createdAt" {...sorting}>
            {t('field.created')}
          </SortableTh>
          <SortableTh by="completedAt" {...sorting}>
            {t('field.completed')}
          </SortableTh>
          <Table.Th>{t('field.verified')}</Table.Th>
          <Table.Th>{t('field.actions')}</Table.Th>
        </>
      }
    >
      {backups.map(backup => (
        <BackupRow key={backup.id} backup={backup} />
      ))}
      {backups.length === 0 && (
        <Table.Tr>
          <Table.Td colSpan={9}>
            <Text ta="center" p="md">
              {isNarrowed(search) ? t('list.noMatch') : t('list.empty')}
            </Text>
          </Table.Td>
        </Table.Tr>
      )}
    </CardTable>
  )
}

interface SortableThProps extends Pick<Props, 'search' | 'onChange'> {
  by: NonNullable<BackupSearch['sortBy']>
  children: ReactNode
}

/** A column that the list can be ordered by; largest and newest first at first. */
function SortableTh({ by, search, onChange, children }: SortableThProps) {
  const { sortBy = 'createdAt', sortOrder = 'desc' } = search
  const isSorted = sortBy === by
  const Icon = !isSorted ? IconArrowsSort : sortOrder === 'desc' ? IconArrowDown : IconArrowUp
  const sort = () => onChange({ sortBy: by, sortOrder: isSorted && sortOrder === 'desc' ? 'asc' : 'desc' })
  return (
    <Table.Th aria-sort={isSorted ? (sortOrder === 'desc' ? 'descending' : 'ascending') : 'none'}>
      <UnstyledButton onClick={sort} fw={700} fz="sm">
        <Group gap={4} wrap="nowrap">
          {children}
          <Icon size={14} aria-hidden />
        </Group>
      </UnstyledButton>
    </Table.Th>
  )
}
