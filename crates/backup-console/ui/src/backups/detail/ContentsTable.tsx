import { List, Stack, Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Contents } from '@/api/schema'
import { formatNumber, formatSize } from '@/i18n/format'

/** The parts of a backup, how large they are, and what is in them. */
export function ContentsTable({ contents }: { contents: Contents }) {
  const { t } = useTranslation(['detail', 'common'])
  const { database, files, config } = contents
  return (
    <Stack gap="sm">
      <Table.ScrollContainer minWidth={320} type="native">
        <Table aria-label={t('contents.title')}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('contents.part')}</Table.Th>
              <Table.Th>{t('contents.size')}</Table.Th>
              <Table.Th>{t('contents.holds')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {database && (
              <Part
                name={t('common:source.DATABASE')}
                size={database.sizeBytes}
                holds={t('contents.database', {
                  tables: formatNumber(database.tables.length),
                  rows: formatNumber(database.rowCount),
                  version: database.serverVersion,
                })}
              />
            )}
            {files && (
              <Part
                name={t('common:source.FILES')}
                size={files.sizeBytes}
                holds={t('contents.files', {
                  files: formatNumber(files.fileCount),
                  entries: formatNumber(files.entryCount),
                })}
              />
            )}
            {config && (
              <Part
                name={t('common:source.CONFIG')}
                size={config.sizeBytes}
                holds={t('contents.config', { configs: formatNumber(config.configCount) })}
              />
            )}
            {Object.entries(contents.other ?? {}).map(([name, part]) => (
              <Part
                key={name}
                name={name}
                size={part.sizeBytes}
                holds={t('contents.other', { entries: formatNumber(part.entryCount) })}
              />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {database && database.tables.length > 0 && (
        <details>
          <summary>{t('contents.tables', { tables: formatNumber(database.tables.length) })}</summary>
          <List size="sm" mt="xs" mah={320} style={{ overflowY: 'auto' }} tabIndex={0}>
            {database.tables.map(table => (
              <List.Item key={table} className="wrap-anywhere">
                {table}
              </List.Item>
            ))}
          </List>
        </details>
      )}
    </Stack>
  )
}

function Part({ name, size, holds }: { name: string; size: number; holds: string }) {
  return (
    <Table.Tr>
      <Table.Th scope="row" fw={500} className="wrap-anywhere">
        {name}
      </Table.Th>
      <Table.Td>{formatSize(size)}</Table.Td>
      <Table.Td>
        <Text size="sm">{holds}</Text>
      </Table.Td>
    </Table.Tr>
  )
}
