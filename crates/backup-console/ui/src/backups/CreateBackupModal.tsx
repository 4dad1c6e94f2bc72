import { zodResolver } from '@hookform/resolvers/zod'
import { Button, Group, Modal, NativeSelect, Stack, Textarea } from '@mantine/core'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { z } from 'zod'
import { $api } from '@/api/client'
import { DEFAULT_CONFIG } from '@/ui/ConfigName'
import { FailureNotice } from '@/ui/FailureNotice'
import { SOURCES, TYPES } from './search'
import { useCreateBackup } from './useCreateBackup'

/** Characters that the server takes. */
const MAX_DESCRIPTION = 1000

const schema = z.object({
  type: z.enum(TYPES),
  source: z.enum(SOURCES),
  configKey: z.string(),
  description: z.string().max(MAX_DESCRIPTION),
})

/** Asks for a backup of any type, source and configuration, with a remark. */
export default function CreateBackupModal({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation(['backups', 'common'])
  const { register, handleSubmit, formState } = useForm<z.infer<typeof schema>>({
    resolver: zodResolver(schema),
    defaultValues: { type: 'FULL', source: 'FULL_SYSTEM', configKey: DEFAULT_CONFIG, description: '' },
  })
  const { data, error } = $api.useQuery('get', '/api/admin/backup/configs')
  const configs = data?.configs ?? []
  const create = useCreateBackup(onClose)
  const submit = handleSubmit(({ description, ...body }) =>
    create.mutate({ body: { ...body, ...(description && { description }) } }),
  )
  return (
    <Modal opened onClose={onClose} title={t('create.title')}>
      <form onSubmit={submit} noValidate>
        <Stack>
          <NativeSelect
            label={t('field.type')}
            data={TYPES.map(value => ({ value, label: t(`common:type.${value}`) }))}
            data-autofocus
            {...register('type')}
          />
          <NativeSelect
            label={t('field.source')}
            data={SOURCES.map(value => ({ value, label: t(`common:source.${value}`) }))}
            {...register('source')}
          />
          <FailureNotice error={error} />
          {configs.length > 1 && (
            <NativeSelect
              label={t('field.config')}
              data={configs.map(({ key }) => key)}
              {...register('configKey')}
            />
          )}
          <Textarea
            label={t('create.description')}
            placeholder={t('create.optional')}
            rows={2}
            error={formState.errors.description && t('create.tooLong', { max: MAX_DESCRIPTION })}
            {...register('description')}
          />
          <FailureNotice error={create.error} title={t('create.failed')} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('common:action.cancel')}
            </Button>
            <Button type="submit" loading={create.isPending}>
              {t('create.submit')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
