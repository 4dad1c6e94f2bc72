import { notifications } from '@mantine/notifications'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Schedule } from '@/api/schema'

/** Has everything that shows schedules read them anew. */
export function refreshSchedules(): Promise<void> {
  return refresh(
    '/api/admin/backup/schedule',
    '/api/admin/backup/schedule/{id}',
    '/api/admin/backup/retention/preview',
    '/api/admin/backup/status',
  )
}

export type ScheduleActions = ReturnType<typeof useScheduleActions>

/** What is done with a schedule at once. `error` is why the last of it was refused. */
export function useScheduleActions(schedule: Schedule) {
  const { t } = useTranslation('schedules')
  const params = { path: { id: schedule.id } }
  const change = $api.useMutation('patch', '/api/admin/backup/schedule/{id}', { onSuccess: refreshSchedules })
  const trigger = $api.useMutation('post', '/api/admin/backup/schedule/{id}/trigger', {
    onSuccess: () => {
      notifications.show({ message: t('action.started'), color: 'green' })
      return refresh('/api/admin/backup', '/api/admin/backup/status', '/api/admin/backup/schedule')
    },
  })
  return {
    toggle: () => {
      trigger.reset()
      change.mutate({ params, body: { isEnabled: !schedule.isEnabled } })
    },
    run: () => {
      change.reset()
      trigger.mutate({ params })
    },
    isPending: change.isPending || trigger.isPending,
    error: change.error ?? trigger.error,
  }
}
