import { Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Restore } from '@/api/schema'
import { ConfirmModal } from '@/ui/ConfirmModal'

export function CancelRestoreModal({ restore, onClose }: { restore: Restore; onClose: () => void }) {
  const { t } = useTranslation('restore')
  const cancel = $api.useMutation('post', '/api/admin/restore/{id}/cancel', {
    onSuccess: () => {
      onClose()
      return refresh('/api/admin/restore', '/api/admin/restore/{id}')
    },
  })
  return (
    <ConfirmModal
      title={t('cancel.title')}
      confirm={t('cancel.action')}
      dismiss={t('cancel.keep')}
      error={cancel.error}
      isPending={cancel.isPending}
      onConfirm={() => cancel.mutate({ params: { path: { id: restore.id } } })}
      onClose={onClose}
    >
      <Text>{t('cancel.question')}</Text>
    </ConfirmModal>
  )
}
