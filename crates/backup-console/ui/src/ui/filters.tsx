import { Button, Group, NativeSelect, TextInput } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

interface BarProps {
  /** Whether anything narrows the list. */
  isNarrowed: boolean
  onClear: () => void
  children: ReactNode
}

/** What narrows a list, and the way back to all of it. */
export function FilterBar({ isNarrowed, onClear, children }: BarProps) {
  const { t } = useTranslation()
  return (
    <Group component="section" aria-label={t('filter.label')} align="flex-end" gap="sm">
      {children}
      {isNarrowed && (
        <Button variant="subtle" onClick={onClear}>
          {t('filter.clear')}
        </Button>
      )}
    </Group>
  )
}

interface SelectProps<Value extends string> {
  label: string
  /** An address may name one that is not among the choices. */
  value: Value | undefined
  data: { value: Value; label: string }[]
  onChange: (value: Value | undefined) => void
}

/** One of these, or all. */
export function SelectFilter<Value extends string>({ label, value, data, onChange }: SelectProps<Value>) {
  const { t } = useTranslation()
  const isKnown = !value || data.some(each => each.value === value)
  return (
    <NativeSelect
      label={label}
      value={value ?? ''}
      data={[{ value: '', label: t('filter.all') }, ...data, ...(isKnown ? [] : [value])]}
      onChange={({ currentTarget }) => onChange(data.find(each => each.value === currentTarget.value)?.value)}
    />
  )
}

/** Days, `YYYY-MM-DD`, both included. */
export interface Days {
  from?: string
  to?: string
}

/** From one day to another. */
export function DayFilters({ from, to, onChange }: Days & { onChange: (changes: Days) => void }) {
  const { t } = useTranslation()
  return (
    <>
      <TextInput
        type="date"
        label={t('filter.from')}
        value={from ?? ''}
        max={to}
        onChange={event => onChange({ from: event.currentTarget.value || undefined })}
      />
      <TextInput
        type="date"
        label={t('filter.to')}
        value={to ?? ''}
        min={from}
        onChange={event => onChange({ to: event.currentTarget.value || undefined })}
      />
    </>
  )
}
