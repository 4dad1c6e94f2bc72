import { NumberInput } from '@mantine/core'
import type { ReactNode } from 'react'
import { Controller, useFormContext } from 'react-hook-form'
import { RANGES, type ScheduleValues } from './form'
import type { KEEPS } from './retention'
import { useFieldError } from './useFieldError'

type Name = 'retentionDays' | 'maxBackups' | 'consolidateEvery' | (typeof KEEPS)[number]

interface Props {
  name: Name
  label: string
  description?: ReactNode
}

/** A whole number of the schedule; one that may be left empty is `null` then. */
export function NumberField({ name, label, description }: Props) {
  const { control } = useFormContext<ScheduleValues>()
  const fieldError = useFieldError()
  const isOptional = name !== 'retentionDays' && name !== 'maxBackups'
  const [min, max] = name in RANGES ? RANGES[name as keyof typeof RANGES] : RANGES.keep
  return (
    <Controller
      control={control}
      name={name}
      render={({ field: { value, onChange, ...field } }) => (
        <NumberInput
          {...field}
          label={label}
          description={description}
          value={value ?? ''}
          onChange={given => onChange(given === '' && isOptional ? null : given)}
          required={!isOptional}
          min={min}
          max={max}
          allowDecimal={false}
          allowNegative={false}
          clampBehavior="none"
          hideControls={isOptional}
          error={fieldError(name)}
        />
      )}
    />
  )
}
