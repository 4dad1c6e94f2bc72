import { Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Backup } from '@/api/schema'
import { ConfirmModal } from '@/ui/ConfirmModal'

/** Says what it means to make a full backup of a chain, then asks for one. */
export function ConsolidateBackupModal({ backup, onClose }: { backup: Backup; onClose: () => void }) {
  const { t } = useTranslation('backups')
  const consolidate = $api.useMutation('post', '/api/admin/backup/{id}/consolidate', {
    onSuccess: () => {
      notifications.show({ message: t('consolidate.started') })
      onClose()
      return refresh('/api/admin/backup', '/api/admin/backup/status')
    },
  })
  return (
    <ConfirmModal
      title={t('consolidate.action')}
      confirm={t('consolidate.confirm')}
      failed={t('consolidate.failed')}
      error={consolidate.error}
      isPending={consolidate.isPending}
      isHarmless
      onConfirm={() => consolidate.mutate({ params: { path: { id: backup.id } } })}
      onClose={onClose}
    >
      <Text>{t('consolidate.question')}</Text>
      <Text fw={500} className="wrap-anywhere">
        {backup.name}
      </Text>
      <Text size="sm">{t('consolidate.space')}</Text>
    </ConfirmModal>
  )
}
