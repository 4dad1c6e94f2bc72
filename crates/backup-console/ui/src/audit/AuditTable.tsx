import { Button, Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { AuditEntry } from '@/api/schema'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { ACTIONS, isKnown, RESOURCES } from './actions'
import type { AuditSearch } from './search'

interface Props {
  entries: AuditEntry[]
  /** Whether these are the ones from before. */
  isStale: boolean
  onChange: (changes: AuditSearch) => void
}

export function AuditTable({ entries, isStale, onChange }: Props) {
  const { t } = useTranslation('audit')
  return (
    <Table.ScrollContainer minWidth={880} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
      <Table aria-busy={isStale} opacity={isStale ? 0.7 : 1}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('field.at')}</Table.Th>
            <Table.Th>{t('field.user')}</Table.Th>
            <Table.Th>{t('field.action')}</Table.Th>
            <Table.Th>{t('field.description')}</Table.Th>
            <Table.Th>{t('field.resource')}</Table.Th>
            <Table.Th>{t('field.address')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map(entry => (
            <AuditRow key={entry.id} entry={entry} onChange={onChange} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}

function AuditRow({ entry, onChange }: { entry: AuditEntry; onChange: Props['onChange'] }) {
  const { t } = useTranslation('audit')
  const { action, resourceType, resourceId } = entry
  const resource = isKnown(RESOURCES, resourceType) ? t(`resource.${resourceType}`) : resourceType
  return (
    <Table.Tr data-audit={action}>
      <Table.Td>
        <TimeDisplay at={entry.at} />
      </Table.Td>
      <Table.Td className="wrap-anywhere">
        {/* What the system does by itself comes from no address. */}
        {entry.user?.displayName ?? (entry.address ? t('nobody') : t('system'))}
        {entry.user && <Text size="xs">{entry.user.email}</Text>}
      </Table.Td>
      <Table.Td>{isKnown(ACTIONS, action) ? t(`action.${action}`) : action}</Table.Td>
      <Table.Td maw={360} className="wrap-anywhere">
        {entry.description}
      </Table.Td>
      <Table.Td>
        {resource}
        {resourceId && (
          <Button
            size="compact-xs"
            variant="default"
            ml={6}
            aria-label={t('onlyNamed', { resource: `${resource} ${resourceId}` })}
            onClick={() => onChange({ resourceType, resourceId })}
          >
            {t('only')}
          </Button>
        )}
      </Table.Td>
      <Table.Td>{entry.address ?? '-'}</Table.Td>
    </Table.Tr>
  )
}
