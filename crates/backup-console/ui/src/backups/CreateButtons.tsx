import { Button, Group, Stack } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconDatabase, IconPlus, IconRefresh } from '@tabler/icons-react'
import { lazy, type ReactNode, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { useCan } from '@/session/me'
import { DEFAULT_CONFIG, useConfigKeys } from '@/ui/ConfigName'
import { FailureNotice } from '@/ui/FailureNotice'
import { useCreateBackup } from './useCreateBackup'

const CreateBackupModal = lazy(() => import('./CreateBackupModal'))

/** The ways to a backup now: everything, the database alone, or as one says; `children` stand behind them. */
export function CreateButtons({ children }: { children?: ReactNode }) {
  const { t } = useTranslation('backups')
  const can = useCan()
  const [isOpen, { open, close }] = useDisclosure()
  const create = useCreateBackup()
  const areSeveral = useConfigKeys().length > 0
  if (!can('OPERATE')) return null
  const begin = (source: 'FULL_SYSTEM' | 'DATABASE') =>
    create.mutate({
      body: { type: 'FULL', source, configKey: DEFAULT_CONFIG, description: t('create.default') },
    })
  const named = (what: string) => (areSeveral ? t('create.of', { what, config: DEFAULT_CONFIG }) : what)
  return (
    <Stack gap="xs">
      <Group gap="sm">
        <Button
          leftSection={<IconRefresh size={18} aria-hidden />}
          onClick={() => begin('FULL_SYSTEM')}
          disabled={create.isPending}
        >
          {create.isPending ? t('create.running') : named(t('create.full'))}
        </Button>
        <Button
          variant="default"
          leftSection={<IconDatabase size={18} aria-hidden />}
          onClick={() => begin('DATABASE')}
          disabled={create.isPending}
        >
          {named(t('create.database'))}
        </Button>
        <Button variant="default" leftSection={<IconPlus size={18} aria-hidden />} onClick={open}>
          {t('create.more')}
        </Button>
        {children}
      </Group>
      <FailureNotice error={create.error} title={t('create.failed')} />
      {isOpen && (
        <Suspense>
          <CreateBackupModal onClose={close} />
        </Suspense>
      )}
    </Stack>
  )
}
