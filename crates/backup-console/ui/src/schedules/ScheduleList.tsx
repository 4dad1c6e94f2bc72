import { Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Schedule } from '@/api/schema'
import { ScheduleCard } from './ScheduleCard'

export function ScheduleList({ schedules }: { schedules: Schedule[] }) {
  const { t } = useTranslation('schedules')
  if (schedules.length === 0) return <Text>{t('empty')}</Text>
  return (
    <Stack>
      {schedules.map(schedule => (
        <ScheduleCard key={schedule.id} schedule={schedule} />
      ))}
    </Stack>
  )
}
