import { Button, Group, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Orphan } from '@/api/schema'
import { ConfirmModal } from '@/ui/ConfirmModal'
import { FailureNotice } from '@/ui/FailureNotice'
import { ButtonLink } from '@/ui/links'

/** Has everything read anew that an orphan settled changes. */
function refreshOrphans(): Promise<void> {
  return refresh(
    '/api/admin/backup/orphans',
    '/api/admin/backup',
    '/api/admin/backup/status',
    '/api/admin/backup/usage',
  )
}

/** What may be done with an orphan of its kind. */
export function OrphanActions({ orphan }: { orphan: Orphan }) {
  const { t } = useTranslation('orphans')
  const [asks, setAsks] = useState(false)
  const { backupId, kind } = orphan
  const adopt = $api.useMutation('post', '/api/admin/backup/orphans/{id}/adopt', {
    onSuccess: ({ backup }) => {
      notifications.show({ message: t('adopted', { name: backup.name }), color: 'green' })
      return refreshOrphans()
    },
  })
  // Of what the catalog knows, the record is deleted: on the backup's own page.
  if (kind === 'LOST' || kind === 'DAMAGED') {
    return (
      <ButtonLink to="/backups/$backupId" params={{ backupId }} size="xs" variant="default">
        {t('look')}
      </ButtonLink>
    )
  }
  return (
    <>
      <Group gap="xs">
        {kind === 'UNLISTED' && (
          <Button
            size="xs"
            variant="default"
            aria-label={t('adoptNamed', { id: backupId })}
            loading={adopt.isPending}
            onClick={() => adopt.mutate({ params: { path: { id: backupId } } })}
          >
            {t('adopt')}
          </Button>
        )}
        <Button
          size="xs"
          variant="default"
          aria-label={t('removeNamed', { id: backupId })}
          onClick={() => setAsks(true)}
        >
          {t('remove')}
        </Button>
      </Group>
      <FailureNotice error={adopt.error} title={t('adoptFailed')} />
      {asks && <RemoveOrphan orphan={orphan} onClose={() => setAsks(false)} />}
    </>
  )
}

function RemoveOrphan({ orphan, onClose }: { orphan: Orphan; onClose: () => void }) {
  const { t } = useTranslation('orphans')
  const remove = $api.useMutation('delete', '/api/admin/backup/orphans/{id}', {
    onSuccess: ({ message }) => {
      onClose()
      notifications.show({ message, color: 'green' })
      return refreshOrphans()
    },
  })
  return (
    <ConfirmModal
      title={t('remove')}
      confirm={t('remove')}
      failed={t('removeFailed')}
      error={remove.error}
      isPending={remove.isPending}
      onConfirm={() => remove.mutate({ params: { path: { id: orphan.backupId } } })}
      onClose={onClose}
    >
      <Text>{t('removeQuestion')}</Text>
      <Text fw={500} className="wrap-anywhere">
        {orphan.path ?? orphan.backupId}
      </Text>
    </ConfirmModal>
  )
}
