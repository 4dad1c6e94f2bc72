import { Button, Group, NativeSelect, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { type BackupSearch, isNarrowed, SOURCES, STATUSES, TRIGGERS, TYPES } from './search'

/** How long the search waits for the next key. */
const TYPING = 300
/** Characters that the server looks for. */
const MAX_SEARCH = 200

interface Props {
  search: BackupSearch
  onChange: (changes: Partial<BackupSearch>) => void
}

export function BackupFilters({ search, onChange }: Props) {
  const { t } = useTranslation(['backups', 'common'])
  const all = { value: '', label: t('filter.all') }
  const given = <T extends string>(value: T | '') => value || undefined
  return (
    <Group component="section" aria-label={t('filter.label')} align="flex-end" gap="sm">
      <SearchInput value={search.q} onChange={q => onChange({ q })} />
      <NativeSelect
        label={t('field.status')}
        value={search.status ?? ''}
        data={[all, ...STATUSES.map(value => ({ value, label: t(`common:status.${value}`) }))]}
        onChange={event =>
          onChange({ status: given(event.currentTarget.value as (typeof STATUSES)[number]) })
        }
      />
      <NativeSelect
        label={t('field.type')}
        value={search.type ?? ''}
        data={[all, ...TYPES.map(value => ({ value, label: t(`common:type.${value}`) }))]}
        onChange={event => onChange({ type: given(event.currentTarget.value as (typeof TYPES)[number]) })}
      />
      <NativeSelect
        label={t('field.source')}
        value={search.source ?? ''}
        data={[all, ...SOURCES.map(value => ({ value, label: t(`common:source.${value}`) }))]}
        onChange={event => onChange({ source: given(event.currentTarget.value as (typeof SOURCES)[number]) })}
      />
      <NativeSelect
        label={t('field.trigger')}
        value={search.trigger ?? ''}
        data={[all, ...TRIGGERS.map(value => ({ value, label: t(`common:trigger.${value}`) }))]}
        onChange={event =>
          onChange({ trigger: given(event.currentTarget.value as (typeof TRIGGERS)[number]) })
        }
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

const NOTHING: Partial<BackupSearch> = {
  q: undefined,
  status: undefined,
  type: undefined,
  source: undefined,
  trigger: undefined,
  scheduleId: undefined,
  from: undefined,
  to: undefined,
}

/** Asks once nobody types any more. What is typed is the field's own until then. */
function SearchInput({
  value = '',
  onChange,
}: {
  value?: string | undefined
  onChange: (q?: string) => void
}) {
  const { t } = useTranslation('backups')
  const input = useRef<HTMLInputElement>(null)
  const ask = useDebouncedCallback((typed: string) => onChange(typed.trim() || undefined), TYPING)
  useEffect(() => {
    // Cleared, or gone back to: the address has the word, unless somebody is typing.
    if (
      input.current &&
      input.current.value.trim() !== value &&
      !(value && document.activeElement === input.current)
    ) {
      input.current.value = value
    }
  }, [value])
  return (
    <TextInput
      ref={input}
      type="search"
      label={t('filter.search')}
      placeholder={t('filter.searchIn')}
      leftSection={<IconSearch size={16} aria-hidden />}
      defaultValue={value}
      maxLength={MAX_SEARCH}
      onChange={event => ask(event.currentTarget.value)}
      flex="1 1 220px"
    />
  )
}
