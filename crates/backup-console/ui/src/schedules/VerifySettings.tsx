import { NativeSelect, NumberInput, SimpleGrid } from '@mantine/core'
import { Controller, useFormContext, useWatch } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { RANGES, type ScheduleValues } from './form'
import { useFieldError } from './useFieldError'
import { VERIFY_LEVELS, VERIFY_WHEN } from './verification'

/** Which new backups are verified by themselves, and how thoroughly. */
export function VerifySettings() {
  const { t } = useTranslation(['schedules', 'common'])
  const { register, control } = useFormContext<ScheduleValues>()
  const fieldError = useFieldError()
  const verifyWhen = useWatch({ control, name: 'verifyWhen' })
  return (
    <SimpleGrid cols={2}>
      <NativeSelect
        label={t('modal.verifyWhen')}
        data={VERIFY_WHEN.map(value => ({ value, label: t(`verify.${value}`) }))}
        error={fieldError('verifyWhen')}
        {...register('verifyWhen')}
      />
      {verifyWhen !== 'NEVER' && (
        <NativeSelect
          label={t('modal.verifyLevel')}
          data={VERIFY_LEVELS.map(value => ({ value, label: t(`common:verifyLevel.${value}`) }))}
          error={fieldError('verifyLevel')}
          {...register('verifyLevel')}
        />
      )}
      {verifyWhen === 'SAMPLED' && (
        <Controller
          control={control}
          name="verifyPercent"
          render={({ field }) => (
            <NumberInput
              {...field}
              label={t('modal.verifyPercent')}
              min={RANGES.verifyPercent[0]}
              max={RANGES.verifyPercent[1]}
              clampBehavior="none"
              error={fieldError('verifyPercent')}
            />
          )}
        />
      )}
    </SimpleGrid>
  )
}
