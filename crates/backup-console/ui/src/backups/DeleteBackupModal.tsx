import { Checkbox, List, Text } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Backup } from '@/api/schema'
import { ConfigName } from '@/ui/ConfigName'
import { ConfirmModal } from '@/ui/ConfirmModal'
import { FailureNotice } from '@/ui/FailureNotice'
import { TimeDisplay } from '@/ui/TimeDisplay'

interface Props {
  backup: Backup
  onClose: () => void
  onDeleted?: (() => void) | undefined
}

/** Deletes a backup; where others build on it, them too, once somebody has said so. */
export function DeleteBackupModal({ backup, onClose, onDeleted }: Props) {
  const { t } = useTranslation(['backups', 'common'])
  const [cascade, setCascade] = useState(false)
  const path = { id: backup.id }
  const details = $api.useQuery('get', '/api/admin/backup/{id}', { params: { path } }, { staleTime: 0 })
  const remove = $api.useMutation('delete', '/api/admin/backup/{id}', {
    onSuccess: () => {
      onClose()
      onDeleted?.()
      return refresh('/api/admin/backup', '/api/admin/backup/status', '/api/admin/backup/usage')
    },
  })
  const dependents = details.data?.backup.dependents ?? []
  return (
    <ConfirmModal
      title={t('delete.title')}
      confirm={t('common:action.delete')}
      failed={t('delete.failed')}
      error={remove.error}
      isPending={remove.isPending}
      isDisabled={details.isFetching || (dependents.length > 0 && !cascade)}
      onConfirm={() => remove.mutate({ params: { path, ...(cascade && { query: { cascade } }) } })}
      onClose={onClose}
    >
      <Text>{t('delete.question')}</Text>
      <Text fw={500} className="wrap-anywhere">
        {backup.name}
      </Text>
      <div>
        <Text size="sm">
          <TimeDisplay at={backup.createdAt} />
        </Text>
        <ConfigName of={backup.configKey} size="sm" />
      </div>
      <FailureNotice error={details.error} onRetry={() => details.refetch()} />
      {dependents.length > 0 && (
        <>
          <Text size="sm">{t('delete.dependents', { count: dependents.length })}</Text>
          <List size="sm">
            {dependents.map(other => (
              <List.Item key={other.id} className="wrap-anywhere">
                {other.name}
              </List.Item>
            ))}
          </List>
          <Checkbox
            label={t('delete.cascade')}
            checked={cascade}
            onChange={event => setCascade(event.currentTarget.checked)}
          />
        </>
      )}
    </ConfirmModal>
  )
}
