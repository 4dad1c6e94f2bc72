import { Fieldset, SimpleGrid, Stack, Text } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useWatch } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import type { Schedule } from '@/api/schema'
import { type ScheduleValues, scheduleSchema } from './form'
import { NumberField } from './NumberField'
import { RetentionPreview } from './RetentionPreview'
import { KEEPS, retentionWords } from './retention'

/** How long the preview waits for the next key. */
const TYPING = 300

const policySchema = scheduleSchema.pick({
  retentionDays: true,
  maxBackups: true,
  keepHourly: true,
  keepDaily: true,
  keepWeekly: true,
  keepMonthly: true,
  keepYearly: true,
  timezone: true,
  configKey: true,
})

/** How long backups are kept, and what that would mean for those that there are. */
export function RetentionSettings({ schedule }: { schedule: Schedule | undefined }) {
  const { t } = useTranslation(['schedules', 'common'])
  const values = useWatch<ScheduleValues>()
  const [settled] = useDebouncedValue(values, TYPING)
  const { data: policy } = policySchema.safeParse(settled)
  return (
    <>
      <SimpleGrid cols={2}>
        <NumberField name="retentionDays" label={t('modal.retentionDays')} />
        <NumberField name="maxBackups" label={t('modal.maxBackups')} />
      </SimpleGrid>
      <Fieldset legend={t('modal.keep')}>
        <Text size="xs" mb="xs">
          {t('modal.keepHint')}
        </Text>
        <SimpleGrid cols={{ base: 3, sm: 5 }} spacing="xs">
          {KEEPS.map(name => (
            <NumberField key={name} name={name} label={t(`modal.${name}`)} />
          ))}
        </SimpleGrid>
      </Fieldset>
      <Stack gap="xs">
        <Text size="sm" fw={500}>
          {t('preview.title')}
        </Text>
        {policy && <Preview schedule={schedule} {...policy} />}
      </Stack>
    </>
  )
}

type PreviewProps = ReturnType<typeof policySchema.parse> & { schedule: Schedule | undefined }

function Preview({ schedule, timezone, configKey, ...policy }: PreviewProps) {
  const { t } = useTranslation(['schedules', 'common'])
  const of = schedule ? { scheduleId: schedule.id, policy } : { policy, timezone, configKey }
  return (
    <>
      <Text size="sm">{retentionWords(policy, t)}</Text>
      <RetentionPreview of={of} />
    </>
  )
}
