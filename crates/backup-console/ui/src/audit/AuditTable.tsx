import { Button, Table, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { AuditEntry } from '@/api/schema'
import { CardTable } from '@/ui/CardTable'
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
    <CardTable
      label={t('title')}
      minWidth={880}
      isStale={isStale}
      head={
        <>
          <Table.Th>{t('field.at')}</Table.Th>
          <Table.Th>{t('field.user')}</Table.Th>
          <Table.Th>{t('field.action')}</Table.Th>
          <Table.Th>{t('field.description')}</Table.Th>
          <Table.Th>{t('field.resource')}</Table.Th>
          <Table.Th>{t('field.address')}</Table.Th>
        </>
      }
    >
      {entries.map(entry => (
        <AuditRow key={entry.id} entry={entry} onChange={onChange} />
      ))}
    </CardTable>
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
      <Table.Td data-label={t('field.user')} className="wrap-anywhere">
        {/* What the system does by itself comes from no address. */}
        {entry.user?.displayName ?? (entry.address ? t('nobody') : t('system'))}
        {entry.user && <Text size="xs">{entry.user.email}</Text>}
      </Table.Td>
      <Table.Td data-label={t('field.action')}>
        {isKnown(ACTIONS, action) ? t(`action.${action}`) : action}
      </Table.Td>
      <Table.Td maw={360} className="wrap-anywhere">
        {entry.description}
      </Table.Td>
      <Table.Td data-label={t('field.resource')}>
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
      <Table.Td data-label={t('field.address')}>{entry.address ?? '-'}</Table.Td>
    </Table.Tr>
  )
}
