import { Select } from '@mantine/core'
import { Controller, useFormContext } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import type { ScheduleValues } from './form'
import { useFieldError } from './useFieldError'

const ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone').filter(zone => zone !== 'UTC')]

/** Zones that are listed; there are hundreds, and typing narrows them. */
const LISTED = 50

export function TimezoneSelect() {
  const { t } = useTranslation('schedules')
  const { control } = useFormContext<ScheduleValues>()
  const fieldError = useFieldError()
  return (
    <Controller
      control={control}
      name="timezone"
      render={({ field }) => (
        <Select
          {...field}
          label={t('modal.timezone')}
          required
          searchable
          allowDeselect={false}
          // A schedule may have a name that this browser does not know.
          data={ZONES.includes(field.value) ? ZONES : [field.value, ...ZONES]}
          limit={LISTED}
          nothingFoundMessage={t('modal.timezoneNone')}
          error={fieldError('timezone')}
        />
      )}
    />
  )
}
