import { zodResolver } from '@hookform/resolvers/zod'
import { Button, Group, Modal, Stack, TextInput } from '@mantine/core'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { z } from 'zod'
import { $api } from '@/api/client'
import type { BackupConfig } from '@/api/schema'
import { FailureNotice } from '@/ui/FailureNotice'
import { refreshConfigs } from './useConfigForm'

const schema = z.object({ key: z.string().regex(/^[a-z0-9_-]{1,50}$/) })

interface Props {
  configs: BackupConfig[]
  onCreated: (key: string) => void
  onClose: () => void
}

/** Names a configuration for one more application; what it says is set afterwards. */
export default function CreateConfigModal({ configs, onCreated, onClose }: Props) {
  const { t } = useTranslation(['settings', 'common'])
  const { register, handleSubmit, formState } = useForm<z.infer<typeof schema>>({
    // One that is there already would be changed instead of made.
    resolver: zodResolver(
      schema.refine(({ key }) => configs.every(other => other.key !== key), { path: ['key'] }),
    ),
    defaultValues: { key: '' },
  })
  const create = $api.useMutation('patch', '/api/admin/backup/config', {
    onSuccess: async ({ config }) => {
      await refreshConfigs()
      onCreated(config.key)
      onClose()
    },
  })
  return (
    <Modal opened onClose={onClose} title={t('config.add')}>
      <form
        noValidate
        onSubmit={handleSubmit(({ key }) => create.mutate({ params: { query: { key } }, body: {} }))}
      >
        <Stack>
          <TextInput
            label={t('config.name')}
            description={t('config.nameHint')}
            required
            maxLength={50}
            data-autofocus
            error={formState.errors.key && t('config.nameInvalid')}
            {...register('key')}
          />
          <FailureNotice error={create.error} title={t('saveFailed')} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('common:action.cancel')}
            </Button>
            <Button type="submit" loading={create.isPending}>
              {t('config.add')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
