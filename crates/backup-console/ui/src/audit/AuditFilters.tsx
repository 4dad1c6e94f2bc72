import { Button, Group, NativeSelect, TextInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { FailureNotice } from '@/ui/FailureNotice'
import { ACTIONS, RESOURCES } from './actions'
import { type AuditSearch, isNarrowed } from './search'

interface Props {
  search: AuditSearch
  onChange: (changes: AuditSearch) => void
}

export function AuditFilters({ search, onChange }: Props) {
  const { t } = useTranslation('audit')
  const { data, error } = $api.useQuery('get', '/api/admin/users')
  const users = data?.users ?? []
  const all = { value: '', label: t('filter.all') }
  const given = (value: string) => value || undefined
  // An address may name what the texts have no word for.
  const other = (words: readonly string[], word: string | undefined) =>
    word && !words.includes(word) ? [word] : []
  return (
    <Group component="section" aria-label={t('filter.label')} align="flex-end" gap="sm">
      <FailureNotice error={error} title={t('field.user')} />
      <NativeSelect
        label={t('field.user')}
        value={search.userId ?? ''}
        data={[
          all,
          ...users.map(({ id, email }) => ({ value: id, label: email })),
          ...other(
            users.map(({ id }) => id),
            search.userId,
          ),
        ]}
        onChange={event => onChange({ userId: given(event.currentTarget.value) })}
      />
      <NativeSelect
        label={t('field.action')}
        value={search.action ?? ''}
        data={[
          all,
          ...ACTIONS.map(value => ({ value, label: t(`action.${value}`) })),
          ...other(ACTIONS, search.action),
        ]}
        onChange={event => onChange({ action: given(event.currentTarget.value) })}
      />
      <NativeSelect
        label={t('field.resource')}
        value={search.resourceType ?? ''}
        data={[
          all,
          ...RESOURCES.map(value => ({ value, label: t(`resource.${value}`) })),
          ...other(RESOURCES, search.resourceType),
        ]}
        onChange={event => onChange({ resourceType: given(event.currentTarget.value) })}
      />
      <TextInput
        type="date"
        label={t('filter.from')}
        value={search.from ?? ''}
        max={search.to}
        onChange={event => onChange({ from: given(event.currentTarget.value) })}
      />
      <TextInput
        type="date"
        label={t('filter.to')}
        value={search.to ?? ''}
        min={search.from}
        onChange={event => onChange({ to: given(event.currentTarget.value) })}
      />
      {isNarrowed(search) && (
        <Button variant="subtle" onClick={() => onChange(NOTHING)}>
          {t('filter.clear')}
        </Button>
      )}
    </Group>
  )
}

const NOTHING: AuditSearch = {
  userId: undefined,
  action: undefined,
  resourceType: undefined,
  resourceId: undefined,
  from: undefined,
  to: undefined,
}
