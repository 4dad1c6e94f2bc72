import { ActionIcon, Menu } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import {
  IconBan,
  IconDots,
  IconDownload,
  IconLock,
  IconLockOpen,
  IconRestore,
  IconShieldCheck,
  IconStack2,
  IconTrash,
} from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Backup, VerifyLevel } from '@/api/schema'
import { useCan } from '@/session/me'
import { isActive } from '@/ui/badges'
import { CancelModal } from '@/ui/CancelModal'
import { useFailureMessage } from '@/ui/FailureNotice'
import { MenuItemLink } from '@/ui/links'
import { ConsolidateBackupModal } from './ConsolidateBackupModal'
import { DeleteBackupModal } from './DeleteBackupModal'
import { downloadBackup } from './download'

const LEVELS = ['CHECKSUM', 'CONTENT', 'RESTORE'] as const satisfies VerifyLevel[]

/** What may be done with a backup, by this person and in its state. */
export function BackupActions({ backup, onDeleted }: { backup: Backup; onDeleted?: () => void }) {
  const { t } = useTranslation('backups')
  const can = useCan()
  const [asks, setAsks] = useState<'cancel' | 'consolidate' | 'delete' | null>(null)
  const failureMessage = useFailureMessage()
  const onError = (error: unknown) =>
    notifications.show({ color: 'red', title: backup.name, message: failureMessage(error), autoClose: false })
  const path = { id: backup.id }
  const verify = $api.useMutation('post', '/api/admin/backup/{id}/verify', {
    onSuccess: () => notifications.show({ message: t('verify.started') }),
    onError,
  })
  const protect = $api.useMutation('post', '/api/admin/backup/{id}/protect', {
    onSuccess: () => refresh('/api/admin/backup', '/api/admin/backup/{id}'),
    onError,
  })
  const download = (how: Parameters<typeof downloadBackup>[1]) =>
    void downloadBackup(backup, how).catch(onError)

  if (!can('OPERATE')) return null
  const isGood = backup.status === 'COMPLETED' && !backup.deleting
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={t('row.menu', { name: backup.name })}>
            <IconDots size={18} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {isActive(backup) && (
            <Menu.Item leftSection={<IconBan size={16} aria-hidden />} onClick={() => setAsks('cancel')}>
              {t('cancel.action')}
            </Menu.Item>
          )}
          {isGood && can('ADMIN') && (
            <>
              <MenuItemLink
                to="/restores/new"
                search={{ backup: backup.id }}
                leftSection={<IconRestore size={16} aria-hidden />}
              >
                {t('restore')}
              </MenuItemLink>
              <Menu.Item leftSection={<IconDownload size={16} aria-hidden />} onClick={() => download({})}>
                {t('download.encrypted')}
              </Menu.Item>
              <Menu.Item
                leftSection={<IconDownload size={16} aria-hidden />}
                onClick={() => download({ decrypt: true })}
              >
                {t('download.decrypted')}
              </Menu.Item>
              {backup.baseId && (
                <Menu.Item
                  leftSection={<IconDownload size={16} aria-hidden />}
                  onClick={() => download({ full: true })}
                >
                  {t('download.full')}
                </Menu.Item>
              )}
              <Menu.Divider />
            </>
          )}
          {isGood &&
            LEVELS.map(level => (
              <Menu.Item
                key={level}
                leftSection={<IconShieldCheck size={16} aria-hidden />}
                onClick={() => verify.mutate({ params: { path }, body: { level } })}
              >
                {t(`verify.${level}`)}
              </Menu.Item>
            ))}
          {isGood && backup.baseId && (
            <Menu.Item
              leftSection={<IconStack2 size={16} aria-hidden />}
              onClick={() => setAsks('consolidate')}
            >
              {t('consolidate.action')}
            </Menu.Item>
          )}
          {isGood && can('ADMIN') && (
            <Menu.Item
              leftSection={
                backup.protected ? <IconLockOpen size={16} aria-hidden /> : <IconLock size={16} aria-hidden />
              }
              onClick={() => protect.mutate({ params: { path }, body: { protected: !backup.protected } })}
            >
              {backup.protected ? t('protect.off') : t('protect.on')}
            </Menu.Item>
          )}
          {!isActive(backup) && can('ADMIN') && (
            <>
              {isGood && <Menu.Divider />}
              <Menu.Item
                color="red"
                leftSection={<IconTrash size={16} aria-hidden />}
                disabled={backup.protected}
                onClick={() => setAsks('delete')}
              >
                {t('delete.title')}
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
      {asks === 'cancel' && <CancelModal kind="backups" job={backup} onClose={() => setAsks(null)} />}
      {asks === 'consolidate' && <ConsolidateBackupModal backup={backup} onClose={() => setAsks(null)} />}
      {asks === 'delete' && (
        <DeleteBackupModal backup={backup} onClose={() => setAsks(null)} onDeleted={onDeleted} />
      )}
    </>
  )
}
