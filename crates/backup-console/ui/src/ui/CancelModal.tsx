import { Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import { ConfirmModal } from './ConfirmModal'

/** What can be cancelled: how, and what shows it. */
const KINDS = {
  backups: {
    path: '/api/admin/backup/{id}/cancel',
    shown: ['/api/admin/backup', '/api/admin/backup/{id}', '/api/admin/backup/status'],
  },
  restore: {
    path: '/api/admin/restore/{id}/cancel',
    shown: ['/api/admin/restore', '/api/admin/restore/{id}'],
  },
} as const

interface Props {
  /** Where its texts are, too. */
  kind: keyof typeof KINDS
  job: { id: string; name?: string }
  onClose: () => void
}

/** Asks before a job that waits or runs is ended. */
export function CancelModal({ kind, job, onClose }: Props) {
  const { t } = useTranslation(kind)
  const { path, shown } = KINDS[kind]
  const cancel = $api.useMutation('post', path, {
    onSuccess: () => {
      onClose()
      return refresh(...shown)
    },
  })
  return (
    <ConfirmModal
      title={t('cancel.title')}
      confirm={t('cancel.action')}
      dismiss={t('cancel.keep')}
      error={cancel.error}
      isPending={cancel.isPending}
      onConfirm={() => cancel.mutate({ params: { path: { id: job.id } } })}
      onClose={onClose}
    >
      <Text>{t('cancel.question')}</Text>
      {job.name && (
        <Text fw={500} className="wrap-anywhere">
          {job.name}
        </Text>
      )}
    </ConfirmModal>
  )
}
