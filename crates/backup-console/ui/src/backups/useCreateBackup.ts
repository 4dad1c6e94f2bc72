import { notifications } from '@mantine/notifications'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'

/** Asks for a backup, and says that it has begun. */
export function useCreateBackup(onSuccess?: () => void) {
  const { t } = useTranslation('backups')
  return $api.useMutation('post', '/api/admin/backup', {
    onSuccess: () => {
      notifications.show({ message: t('create.started'), color: 'green' })
      onSuccess?.()
      return refresh('/api/admin/backup', '/api/admin/backup/status')
    },
  })
}
