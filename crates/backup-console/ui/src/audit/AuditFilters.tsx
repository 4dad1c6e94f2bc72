import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { FailureNotice } from '@/ui/FailureNotice'
import { DayFilters, FilterBar, SelectFilter } from '@/ui/filters'
import { ACTIONS, RESOURCES } from './actions'
import { type AuditSearch, isNarrowed, NO_FILTERS } from './search'

interface Props {
  search: AuditSearch
  onChange: (changes: AuditSearch) => void
}

export function AuditFilters({ search, onChange }: Props) {
  const { t } = useTranslation('audit')
  const { data, error } = $api.useQuery('get', '/api/admin/users')
  const users = data?.users ?? []
  return (
    <FilterBar isNarrowed={isNarrowed(search)} onClear={() => onChange(NO_FILTERS)}>
      <FailureNotice error={error} title={t('field.user')} />
      <SelectFilter
        label={t('field.user')}
        value={search.userId}
        data={users.map(({ id, email }) => ({ value: id, label: email }))}
        onChange={userId => onChange({ userId })}
      />
      <SelectFilter<string>
        label={t('field.action')}
        value={search.action}
        data={ACTIONS.map(value => ({ value, label: t(`action.${value}`) }))}
        onChange={action => onChange({ action })}
      />
      <SelectFilter<string>
        label={t('field.resource')}
        value={search.resourceType}
        data={RESOURCES.map(value => ({ value, label: t(`resource.${value}`) }))}
        onChange={resourceType => onChange({ resourceType })}
      />
      <DayFilters from={search.from} to={search.to} onChange={onChange} />
    </FilterBar>
  )
}
