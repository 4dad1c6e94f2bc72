import { zodResolver } from '@hookform/resolvers/zod'
import { Button, Group, Modal, Stack, Text, Textarea } from '@mantine/core'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { z } from 'zod'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import { FailureNotice } from '@/ui/FailureNotice'

/** Characters that the server takes. */
const MAX_REASON = 500

const schema = z.object({ reason: z.string().trim().min(1).max(MAX_REASON) })

/** Asks why, and pauses the whole system. */
export default function PauseModal({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const { register, handleSubmit, formState } = useForm<z.infer<typeof schema>>({
    resolver: zodResolver(schema),
    defaultValues: { reason: '' },
  })
  const pause = $api.useMutation('post', '/api/admin/system/pause', {
    onSuccess: () => {
      onClose()
      return refresh('/api/admin/backup/status', '/api/admin/backup/alerts')
    },
  })
  return (
    <Modal opened onClose={onClose} title={t('pause.action')}>
      <form onSubmit={handleSubmit(body => pause.mutate({ body }))} noValidate>
        <Stack>
          <Text size="sm">{t('pause.means')}</Text>
          <Textarea
            label={t('pause.reason')}
            rows={2}
            required
            data-autofocus
            error={formState.errors.reason && t('pause.reasonInvalid', { max: MAX_REASON })}
            {...register('reason')}
          />
          <FailureNotice error={pause.error} title={t('pause.failed')} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('action.cancel')}
            </Button>
            <Button type="submit" loading={pause.isPending}>
              {t('pause.submit')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
