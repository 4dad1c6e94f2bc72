import { TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { useConfigKeys } from '@/ui/ConfigName'
import { DayFilters, FilterBar, SelectFilter } from '@/ui/filters'
import { type BackupSearch, isNarrowed, NO_FILTERS, SOURCES, STATUSES, TRIGGERS, TYPES } from './search'

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
  const configs = useConfigKeys()
  return (
    <FilterBar isNarrowed={isNarrowed(search)} onClear={() => onChange(NO_FILTERS)}>
      <SearchInput value={search.q} onChange={q => onChange({ q })} />
      <SelectFilter
        label={t('field.status')}
        value={search.status}
        data={STATUSES.map(value => ({ value, label: t(`common:status.${value}`) }))}
        onChange={status => onChange({ status })}
      />
      <SelectFilter
        label={t('field.type')}
        value={search.type}
        data={TYPES.map(value => ({ value, label: t(`common:type.${value}`) }))}
        onChange={type => onChange({ type })}
      />
      <SelectFilter
        label={t('field.source')}
        value={search.source}
        data={SOURCES.map(value => ({ value, label: t(`common:source.${value}`) }))}
        onChange={source => onChange({ source })}
      />
      {(configs.length > 0 || search.configKey) && (
        <SelectFilter
          label={t('field.config')}
          value={search.configKey}
          data={configs.map(value => ({ value, label: value }))}
          onChange={configKey => onChange({ configKey })}
        />
      )}
      <SelectFilter
        label={t('field.trigger')}
        value={search.trigger}
        data={TRIGGERS.map(value => ({ value, label: t(`common:trigger.${value}`) }))}
        onChange={trigger => onChange({ trigger })}
      />
      <DayFilters from={search.from} to={search.to} onChange={onChange} />
    </FilterBar>
  )
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
