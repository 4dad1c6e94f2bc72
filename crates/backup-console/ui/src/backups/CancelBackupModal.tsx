import { Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Backup } from '@/api/schema'
import { ConfirmModal } from '@/ui/ConfirmModal'

export function CancelBackupModal({ backup, onClose }: { backup: Backup; onClose: () => void }) {
  const { t } = useTranslation('backups')
  const cancel = $api.useMutation('post', '/api/admin/backup/{id}/cancel', {
    onSuccess: () => {
      onClose()
      return refresh('/api/admin/backup', '/api/admin/backup/status')
    },
  })
  return (
    <ConfirmModal
      title={t('cancel.title')}
      confirm={t('cancel.action')}
      dismiss={t('cancel.keep')}
      error={cancel.error}
      isPending={cancel.isPending}
      onConfirm={() => cancel.mutate({ params: { path: { id: backup.id } } })}
      onClose={onClose}
    >
      <Text>{t('cancel.question')}</Text>
      <Text fw={500} className="wrap-anywhere">
        {backup.name}
      </Text>
    </ConfirmModal>
  )
}
