import { Code, Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Orphan } from '@/api/schema'
import { formatSize } from '@/i18n/format'
import { CardTable } from '@/ui/CardTable'
import { OrphanActions } from './OrphanActions'

export function OrphanTable({ orphans }: { orphans: Orphan[] }) {
  const { t } = useTranslation('orphans')
  return (
    <CardTable
      label={t('title')}
      minWidth={860}
      head={
        <>
          <Table.Th>{t('field.kind')}</Table.Th>
          <Table.Th>{t('field.backup')}</Table.Th>
          <Table.Th>{t('field.storage')}</Table.Th>
          <Table.Th>{t('field.size')}</Table.Th>
          <Table.Th>{t('field.actions')}</Table.Th>
        </>
      }
    >
      {orphans.map(orphan => (
        <Table.Tr key={`${orphan.storage} ${orphan.backupId}`} data-orphan={orphan.kind}>
          <Table.Td maw={340}>
            <Text size="sm" fw={500}>
              {t(`kind.${orphan.kind}`)}
            </Text>
            <Text size="xs">{t(`hint.${orphan.kind}`)}</Text>
            {orphan.problem && (
              <Text size="xs" className="wrap-anywhere" lang="en">
                {orphan.problem}
              </Text>
            )}
          </Table.Td>
          <Table.Td maw={320}>
            <Code className="wrap-anywhere">{orphan.path ?? orphan.backupId}</Code>
          </Table.Td>
          <Table.Td maw={240} className="wrap-anywhere" data-label={t('field.storage')}>
            {orphan.storage}
          </Table.Td>
          <Table.Td data-label={t('field.size')}>{formatSize(orphan.sizeBytes)}</Table.Td>
          <Table.Td>
            <OrphanActions orphan={orphan} />
          </Table.Td>
        </Table.Tr>
      ))}
    </CardTable>
  )
}
