import { Alert, Button, Group, Text } from '@mantine/core'
import { IconPlayerPause } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import { useCan } from '@/session/me'
import { FailureNotice } from '@/ui/FailureNotice'
import { TimeDisplay } from '@/ui/TimeDisplay'

/** Says on every page that the system is paused, since when, by whom and why; who may can end it. */
export function PauseNotice() {
  const { t } = useTranslation()
  const can = useCan()
  const { data } = $api.useQuery('get', '/api/admin/backup/status')
  const resume = $api.useMutation('post', '/api/admin/system/resume', {
    onSuccess: () => refresh('/api/admin/backup/status', '/api/admin/backup/alerts'),
  })
  const pause = data?.pause
  if (!pause) return null
  return (
    <Alert
      color="yellow"
      mb="md"
      title={t('pause.title')}
      icon={<IconPlayerPause aria-hidden />}
      role="status"
      data-paused
    >
      <Text size="sm" className="wrap-anywhere">
        {pause.pausedBy && `${pause.pausedBy} · `}
        <TimeDisplay at={pause.pausedAt} /> · {pause.reason}
      </Text>
      <Text size="sm">{t('pause.means')}</Text>
      <FailureNotice error={resume.error} title={t('pause.resumeFailed')} />
      {can('ADMIN') && (
        <Group mt="xs">
          <Button size="xs" variant="default" loading={resume.isPending} onClick={() => resume.mutate({})}>
            {t('pause.resume')}
          </Button>
        </Group>
      )}
    </Alert>
  )
}
