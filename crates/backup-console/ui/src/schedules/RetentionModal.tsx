import { Modal, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Schedule } from '@/api/schema'
import { RetentionPreview } from './RetentionPreview'
import { retentionWords } from './retention'

/** Which of a schedule's backups stay and which go, as it is now. */
export function RetentionModal({ schedule, onClose }: { schedule: Schedule; onClose: () => void }) {
  const { t } = useTranslation(['schedules', 'common'])
  return (
    <Modal opened onClose={onClose} size="lg" title={t('preview.title')}>
      <Stack gap="xs">
        <Text fw={500} className="wrap-anywhere">
          {schedule.name}
        </Text>
        <Text size="sm">{retentionWords(schedule, t)}</Text>
        <RetentionPreview of={{ scheduleId: schedule.id }} />
      </Stack>
    </Modal>
  )
}
