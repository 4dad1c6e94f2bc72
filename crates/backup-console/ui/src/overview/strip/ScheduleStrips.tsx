import { Button, Group, Stack, Text, VisuallyHidden } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Schedule } from '@/api/schema'
import { Boundary } from '@/ui/Boundary'
import { AnchorLink } from '@/ui/links'
import { useNow } from '@/ui/useNow'
import { DAYS, dayAfter, dayIn, daysOf } from './days'
import { Strip } from './Strip'

/** Schedules that are shown at first. */
const SHOWN = 8
/** Backups that one request brings. */
const PAGE = 200

/** The last thirty days of each schedule. */
export function ScheduleStrips() {
  const { t } = useTranslation('charts')
  const [all, setAll] = useState(false)
  const query = { limit: PAGE }
  const { schedules } = $api.useSuspenseQuery('get', '/api/admin/backup/schedule', {
    params: { query },
  }).data
  const shown = all ? schedules : schedules.slice(0, SHOWN)
  if (schedules.length === 0) return <Text size="sm">{t('strip.none')}</Text>
  return (
    <Stack>
      {shown.map(schedule => (
        <Stack key={schedule.id} gap={4}>
          <Group justify="space-between" gap="xs">
            <Text size="sm" fw={600} className="wrap-anywhere">
              {schedule.name}
              {!schedule.isEnabled && ` (${t('strip.disabled')})`}
            </Text>
            <AnchorLink to="/backups" search={{ scheduleId: schedule.id }} size="sm" underline="always">
              {t('strip.backups')}
              <VisuallyHidden>{t('strip.backupsOf', { name: schedule.name })}</VisuallyHidden>
            </AnchorLink>
          </Group>
          <Boundary>
            <ScheduleStrip schedule={schedule} />
          </Boundary>
        </Stack>
      ))}
      {shown.length < schedules.length && (
        <Group>
          <Button size="xs" variant="default" onClick={() => setAll(true)}>
            {t('strip.all', { count: schedules.length })}
          </Button>
        </Group>
      )}
    </Stack>
  )
}

function ScheduleStrip({ schedule }: { schedule: Schedule }) {
  const now = useNow()
  // To the day: the question stays the same until the next one.
  const dateFrom = dayAfter(dayIn('UTC', now), -DAYS)
  const { firings } = $api.useSuspenseQuery('get', '/api/admin/backup/schedule/{id}', {
    params: { path: { id: schedule.id } },
  }).data.schedule
  const query = { scheduleId: schedule.id, dateFrom, limit: PAGE }
  const newest = useBackups(query)
  // Of a schedule that runs often, the newest do not reach back so far; what failed does.
  const failed = useBackups({ ...query, status: 'FAILED' as const })
  const backups = [...new Map([...newest, ...failed].map(backup => [backup.id, backup])).values()]
  return <Strip days={daysOf(schedule, firings, backups, now)} schedule={schedule} />
}

function useBackups(query: { scheduleId: string; dateFrom: string; limit: number; status?: 'FAILED' }) {
  return $api.useSuspenseQuery('get', '/api/admin/backup', { params: { query } }).data.backups
}
