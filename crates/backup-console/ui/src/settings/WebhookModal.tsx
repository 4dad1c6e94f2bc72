import {
  Button,
  Group,
  Modal,
  NativeSelect,
  PasswordInput,
  Stack,
  Switch,
  Textarea,
  TextInput,
} from '@mantine/core'
import { Controller, useForm, useWatch } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import type { BackupConfig, Webhook } from '@/api/schema'
import { FailureNotice } from '@/ui/FailureNotice'
import { useChangeWebhooks } from './useChangeWebhooks'
import { PRESETS, valuesOf, type WebhookValues, withChanged, withNew } from './webhooks'

interface Props {
  config: BackupConfig
  /** The one to change; without it a new one is added. */
  webhook: Webhook | undefined
  onClose: () => void
}

export default function WebhookModal({ config, webhook, onClose }: Props) {
  const { t } = useTranslation(['settings', 'common'])
  const { register, control, handleSubmit, formState } = useForm<WebhookValues>({
    defaultValues: valuesOf(webhook),
  })
  const { dirtyFields } = formState
  const preset = useWatch({ control, name: 'preset' })
  const save = useChangeWebhooks(config, onClose)
  const submit = handleSubmit(values => {
    const changed = Object.keys(dirtyFields) as (keyof WebhookValues)[]
    save.mutate(webhooks => (webhook ? withChanged(webhooks, values, changed) : withNew(webhooks, values)))
  })
  return (
    <Modal opened onClose={onClose} title={webhook ? t('webhook.edit') : t('webhook.add')}>
      <form onSubmit={submit}>
        <Stack>
          {/* The address is known by the name: a webhook of another name is another one. */}
          <TextInput
            label={t('webhook.name')}
            required
            maxLength={50}
            readOnly={webhook !== undefined}
            data-autofocus={webhook === undefined || undefined}
            {...register('name')}
          />
          <NativeSelect
            label={t('webhook.program')}
            data={PRESETS.map(value => ({ value, label: t(`webhook.preset.${value}`) }))}
            {...register('preset')}
          />
          <PasswordInput
            label={t('webhook.url')}
            description={t(`webhook.how.${preset}`)}
            placeholder={webhook ? '***' : 'https://'}
            required={!webhook}
            autoComplete="off"
            {...register('url')}
          />
          {preset === 'GENERIC' && (
            <Textarea
              label={t('webhook.template')}
              description={t('webhook.templateHint')}
              rows={4}
              styles={{ input: { fontFamily: 'monospace' } }}
              {...register('template')}
            />
          )}
          {(['onFailure', 'onSuccess'] as const).map(name => (
            <Controller
              key={name}
              control={control}
              name={name}
              render={({ field: { value, ...field } }) => (
                <Switch
                  {...field}
                  checked={value}
                  label={t(name === 'onFailure' ? 'field.notifyOnFailure' : 'field.notifyOnSuccess')}
                  withThumbIndicator={false}
                />
              )}
            />
          ))}
          <FailureNotice error={save.error} title={t('saveFailed')} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('common:action.cancel')}
            </Button>
            <Button type="submit" loading={save.isPending}>
              {t('save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
