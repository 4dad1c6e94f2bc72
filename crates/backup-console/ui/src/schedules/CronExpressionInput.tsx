import { Button, Code, Group, Stack, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useFormContext, useWatch } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { FailureNotice, useFailureMessage } from '@/ui/FailureNotice'
import { CronBuilder } from './CronBuilder'
import type { ScheduleValues } from './form'
import { NextRuns, useCronPreview } from './NextRuns'
import { TimezoneSelect } from './TimezoneSelect'
import { useFieldError } from './useFieldError'

/** How long the preview waits for the next key. */
const TYPING = 300
/** Runs that are shown. */
const RUNS = 5

/** When the schedule fires: chosen, put together or typed, and at once in words and times. */
export function CronExpressionInput() {
  const { t } = useTranslation('schedules')
  const { register, setValue, control } = useFormContext<ScheduleValues>()
  const fieldError = useFieldError()
  const failureMessage = useFailureMessage()
  const [cronExpression, timezone] = useWatch({ control, name: ['cronExpression', 'timezone'] })
  const presets = $api.useQuery('get', '/api/admin/backup/schedule/presets')
  const [expression] = useDebouncedValue(cronExpression.trim(), TYPING)
  const asked = { expression, timezone, count: RUNS }
  const preview = useCronPreview(asked)
  const choose = (chosen: string) =>
    setValue('cronExpression', chosen, { shouldDirty: true, shouldValidate: true })
  return (
    <Stack>
      <div>
        <Text size="sm" fw={500} id="schedule-presets">
          {t('modal.presets')}
        </Text>
        <Group gap={6} role="group" aria-labelledby="schedule-presets">
          {presets.data?.presets.map(preset => (
            <Button
              key={preset.key}
              size="compact-sm"
              radius="xl"
              variant={preset.expression === cronExpression ? 'filled' : 'default'}
              aria-pressed={preset.expression === cronExpression}
              onClick={() => choose(preset.expression)}
            >
              {preset.label}
            </Button>
          ))}
        </Group>
        <FailureNotice error={presets.error} onRetry={() => presets.refetch()} />
      </div>
      <CronBuilder expression={cronExpression} onChange={choose} />
      <TextInput
        label={t('modal.cron')}
        description={t('modal.cronHint')}
        placeholder="0 2 * * *"
        required
        styles={{ input: { fontFamily: 'monospace' } }}
        error={fieldError('cronExpression') ?? (preview.error && failureMessage(preview.error))}
        {...register('cronExpression')}
      />
      <TimezoneSelect />
      <TextInput
        label={t('modal.startWindow')}
        description={t('modal.startWindowHint')}
        placeholder="22:00-06:00"
        styles={{ input: { fontFamily: 'monospace' } }}
        error={fieldError('startWindow')}
        {...register('startWindow')}
      />
      {expression && !preview.error && (
        <div aria-live="polite">
          <Text size="sm" fw={500}>
            {preview.data?.description ?? <Code>{expression}</Code>}
          </Text>
          <Text size="xs" mt={4}>
            {t('runs.title')}
          </Text>
          <NextRuns {...asked} />
        </div>
      )}
    </Stack>
  )
}
