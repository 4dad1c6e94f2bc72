import { Checkbox, Text } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Restore, RestoreAccepted } from '@/api/schema'
import { ConfirmModal } from '@/ui/ConfirmModal'

interface Props {
  restore: Restore
  onClose: () => void
}

/** Both are jobs with a record of their own: it is shown next. */
function useFollow() {
  const navigate = useNavigate()
  return ({ restore }: RestoreAccepted) => {
    void refresh('/api/admin/restore', '/api/admin/restore/{id}', '/api/admin/backup/{id}')
    return navigate({ to: '/restores/$restoreId', params: { restoreId: restore.id } })
  }
}

/** Says that the restored state is right: what gave way is removed for good. */
export function ConfirmRestoreModal({ restore, onClose }: Props) {
  const { t } = useTranslation('restore')
  const confirm = $api.useMutation('post', '/api/admin/restore/{id}/confirm', { onSuccess: useFollow() })
  return (
    <ConfirmModal
      title={t('confirm.title')}
      confirm={t('confirm.action')}
      failed={t('confirm.failed')}
      error={confirm.error}
      isPending={confirm.isPending}
      onConfirm={() => confirm.mutate({ params: { path: { id: restore.id } } })}
      onClose={onClose}
    >
      <Text>{t('confirm.question')}</Text>
    </ConfirmModal>
  )
}

/** Puts back what gave way: what was written since is lost, which somebody has to know. */
export function RollBackModal({ restore, onClose }: Props) {
  const { t } = useTranslation('restore')
  const [isKnown, setIsKnown] = useState(false)
  const rollBack = $api.useMutation('post', '/api/admin/restore/{id}/rollback', { onSuccess: useFollow() })
  return (
    <ConfirmModal
      title={t('rollBack.title')}
      confirm={t('rollBack.action')}
      failed={t('rollBack.failed')}
      error={rollBack.error}
      isPending={rollBack.isPending}
      isDisabled={!isKnown}
      onConfirm={() => rollBack.mutate({ params: { path: { id: restore.id } } })}
      onClose={onClose}
    >
      <Text>{t('rollBack.question')}</Text>
      <Checkbox
        label={t('rollBack.known')}
        checked={isKnown}
        onChange={event => setIsKnown(event.currentTarget.checked)}
      />
    </ConfirmModal>
  )
}
