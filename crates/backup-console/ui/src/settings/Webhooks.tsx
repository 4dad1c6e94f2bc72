import { ActionIcon, Badge, Button, Group, Stack, Text } from '@mantine/core'
import { IconPencil, IconPlus, IconTrash } from '@tabler/icons-react'
import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { BackupConfig, Webhook } from '@/api/schema'
import { useCan } from '@/session/me'
import { ConfirmModal } from '@/ui/ConfirmModal'
import { Section } from '@/ui/Section'
import { useChangeWebhooks } from './useChangeWebhooks'

const WebhookModal = lazy(() => import('./WebhookModal'))

/** Programs that are told. Their addresses are secrets. */
export function Webhooks({ config }: { config: BackupConfig }) {
  const { t } = useTranslation(['settings', 'common'])
  const can = useCan()
  const [edited, setEdited] = useState<Webhook | 'new' | null>(null)
  const [removed, setRemoved] = useState<Webhook | null>(null)
  return (
    <Section
      title={t('webhook.title')}
      actions={
        can('ADMIN') && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlus size={16} aria-hidden />}
            onClick={() => setEdited('new')}
          >
            {t('webhook.add')}
          </Button>
        )
      }
    >
      {config.webhooks.length === 0 && <Text size="sm">{t('webhook.none')}</Text>}
      <Stack component="ul" gap="xs" m={0} p={0} style={{ listStyle: 'none' }}>
        {config.webhooks.map(webhook => (
          <Group component="li" key={webhook.name} justify="space-between" wrap="nowrap">
            <Group gap="xs">
              <Text size="sm" fw={500} className="wrap-anywhere">
                {webhook.name}
              </Text>
              <Badge variant="default">{t(`webhook.preset.${webhook.preset}`)}</Badge>
              <Text size="xs">
                {told(webhook)
                  .map(each => t(each))
                  .join(t('separator'))}
              </Text>
            </Group>
            {can('ADMIN') && (
              <Group gap={4} wrap="nowrap">
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  aria-label={t('webhook.editNamed', { name: webhook.name })}
                  onClick={() => setEdited(webhook)}
                >
                  <IconPencil size={18} aria-hidden />
                </ActionIcon>
                <ActionIcon
                  variant="subtle"
                  color="red"
                  aria-label={t('webhook.deleteNamed', { name: webhook.name })}
                  onClick={() => setRemoved(webhook)}
                >
                  <IconTrash size={18} aria-hidden />
                </ActionIcon>
              </Group>
            )}
          </Group>
        ))}
      </Stack>
      {edited && (
        <Suspense>
          <WebhookModal
            config={config}
            webhook={edited === 'new' ? undefined : edited}
            onClose={() => setEdited(null)}
          />
        </Suspense>
      )}
      {removed && <DeleteWebhook config={config} webhook={removed} onClose={() => setRemoved(null)} />}
    </Section>
  )
}

function told({ onFailure, onSuccess }: Webhook) {
  return [
    ...(onFailure ? (['field.notifyOnFailure'] as const) : []),
    ...(onSuccess ? (['field.notifyOnSuccess'] as const) : []),
  ]
}

function DeleteWebhook(props: { config: BackupConfig; webhook: Webhook; onClose: () => void }) {
  const { config, webhook, onClose } = props
  const { t } = useTranslation(['settings', 'common'])
  const save = useChangeWebhooks(config, onClose)
  return (
    <ConfirmModal
      title={t('webhook.delete')}
      confirm={t('common:action.delete')}
      failed={t('saveFailed')}
      error={save.error}
      isPending={save.isPending}
      onConfirm={() => save.mutate(webhooks => webhooks.filter(({ name }) => name !== webhook.name))}
      onClose={onClose}
    >
      <Text>{t('webhook.deleteQuestion', { name: webhook.name })}</Text>
    </ConfirmModal>
  )
}
