import { NativeSelect, SimpleGrid, Textarea, TextInput } from '@mantine/core'
import { useFormContext, useWatch } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { SOURCES, TYPES } from '@/backups/search'
import { FailureNotice } from '@/ui/FailureNotice'
import type { ScheduleValues } from './form'
import { NumberField } from './NumberField'
import { useFieldError } from './useFieldError'

/** What the schedule is called and what it backs up. */
export function SourceSettings() {
  const { t } = useTranslation(['schedules', 'common'])
  const { register, control } = useFormContext<ScheduleValues>()
  const backupType = useWatch({ control, name: 'backupType' })
  const fieldError = useFieldError()
  const { data, error } = $api.useQuery('get', '/api/admin/backup/configs')
  const configs = data?.configs ?? []
  return (
    <>
      <TextInput
        label={t('modal.name')}
        placeholder={t('modal.namePlaceholder')}
        required
        data-autofocus
        error={fieldError('name')}
        {...register('name')}
      />
      <Textarea
        label={t('modal.description')}
        placeholder={t('modal.optional')}
        rows={2}
        error={fieldError('description')}
        {...register('description')}
      />
      <SimpleGrid cols={2}>
        <NativeSelect
          label={t('modal.type')}
          required
          data={TYPES.map(value => ({ value, label: t(`common:type.${value}`) }))}
          error={fieldError('backupType')}
          {...register('backupType')}
        />
        <NativeSelect
          label={t('modal.source')}
          required
          data={SOURCES.map(value => ({ value, label: t(`modal.sourceOnly.${value}`) }))}
          error={fieldError('backupSource')}
          {...register('backupSource')}
        />
      </SimpleGrid>
      {backupType !== 'FULL' && (
        <NumberField
          name="consolidateEvery"
          label={t('modal.consolidateEvery')}
          description={t('modal.consolidateHint')}
        />
      )}
      <FailureNotice error={error} />
      {configs.length > 1 && (
        <NativeSelect
          label={t('field.config')}
          data={configs.map(({ key }) => key)}
          error={fieldError('configKey')}
          {...register('configKey')}
        />
      )}
    </>
  )
}
