import { Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Schedule } from '@/api/schema'
import { ConfirmModal } from '@/ui/ConfirmModal'
import { refreshSchedules } from './useScheduleActions'

export function DeleteScheduleModal({ schedule, onClose }: { schedule: Schedule; onClose: () => void }) {
  const { t } = useTranslation(['schedules', 'common'])
  const remove = $api.useMutation('delete', '/api/admin/backup/schedule/{id}', {
    onSuccess: () => {
      onClose()
      return refreshSchedules()
    },
  })
  return (
    <ConfirmModal
      title={t('delete.title')}
      confirm={t('common:action.delete')}
      failed={t('delete.failed')}
      error={remove.error}
      isPending={remove.isPending}
      onConfirm={() => remove.mutate({ params: { path: { id: schedule.id } } })}
      onClose={onClose}
    >
      <Text>{t('delete.question')}</Text>
      <Text fw={500} className="wrap-anywhere">
        {schedule.name}
      </Text>
    </ConfirmModal>
  )
}
