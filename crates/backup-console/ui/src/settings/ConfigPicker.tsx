import { Button, Group, NativeSelect, Text } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { BackupConfig } from '@/api/schema'
import { useCan } from '@/session/me'
import { ConfirmModal } from '@/ui/ConfirmModal'
import { refreshConfigs } from './useConfigForm'

const CreateConfigModal = lazy(() => import('./CreateConfigModal'))

/** The configuration that cannot be removed. */
export const DEFAULT = 'default'

interface Props {
  configs: BackupConfig[]
  chosen: BackupConfig
  onChoose: (key: string) => void
}

/** Which configuration is shown, where there are several: each is one application. */
export function ConfigPicker({ configs, chosen, onChoose }: Props) {
  const { t } = useTranslation(['settings', 'common'])
  const can = useCan()
  const [open, setOpen] = useState<'create' | 'delete' | null>(null)
  const close = () => setOpen(null)
  if (!can('ADMIN') && configs.length === 1) return null
  return (
    <Group align="flex-end" gap="sm">
      <NativeSelect
        label={t('config.label')}
        value={chosen.key}
        data={configs.map(({ key }) => ({ value: key, label: key === DEFAULT ? t('config.default') : key }))}
        onChange={event => onChoose(event.currentTarget.value)}
      />
      {can('ADMIN') && (
        <Button
          variant="default"
          leftSection={<IconPlus size={18} aria-hidden />}
          onClick={() => setOpen('create')}
        >
          {t('config.add')}
        </Button>
      )}
      {can('ADMIN') && chosen.key !== DEFAULT && (
        <Button
          variant="default"
          leftSection={<IconTrash size={18} aria-hidden />}
          onClick={() => setOpen('delete')}
        >
          {t('config.delete')}
        </Button>
      )}
      {open === 'create' && (
        <Suspense>
          <CreateConfigModal configs={configs} onCreated={onChoose} onClose={close} />
        </Suspense>
      )}
      {open === 'delete' && (
        <DeleteConfig config={chosen} onDeleted={() => onChoose(DEFAULT)} onClose={close} />
      )}
    </Group>
  )
}

function DeleteConfig(props: { config: BackupConfig; onDeleted: () => void; onClose: () => void }) {
  const { config, onDeleted, onClose } = props
  const { t } = useTranslation(['settings', 'common'])
  const remove = $api.useMutation('delete', '/api/admin/backup/config', {
    onSuccess: () => {
      onDeleted()
      onClose()
      return refreshConfigs()
    },
  })
  return (
    <ConfirmModal
      title={t('config.delete')}
      confirm={t('common:action.delete')}
      failed={t('config.deleteFailed')}
      error={remove.error}
      isPending={remove.isPending}
      onConfirm={() => remove.mutate({ params: { query: { key: config.key } } })}
      onClose={onClose}
    >
      <Text>{t('config.deleteQuestion', { name: config.key })}</Text>
    </ConfirmModal>
  )
}
