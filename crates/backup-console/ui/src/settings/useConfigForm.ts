import { notifications } from '@mantine/notifications'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { BackupConfig, ConfigChange, TestConfig } from '@/api/schema'
import { useFailureMessage } from '@/ui/FailureNotice'
import { failedField } from '@/ui/fieldFailure'
import { changeOf, type Field, type FormValues, valuesOf } from './config'

/** Has everything that shows configurations read them anew. */
export function refreshConfigs(): Promise<void> {
  return refresh('/api/admin/backup/configs', '/api/admin/backup/config', '/api/admin/backup/status')
}

function formValuesOf(config: BackupConfig): FormValues {
  return { ...valuesOf(config), encryptionKeyAgain: '' }
}

/** A form over a configuration that saves what was changed and tries it before. */
export function useConfigForm(config: BackupConfig) {
  const { t } = useTranslation('settings')
  const failureMessage = useFailureMessage()
  const form = useForm<FormValues>({
    values: formValuesOf(config),
    // What somebody has begun to type stays when the configuration is read anew.
    resetOptions: { keepDirtyValues: true },
  })
  const params = { query: { key: config.key } }
  const onError = (error: unknown) => {
    const field = failedField(error)
    if (field && field in form.getValues()) {
      form.setError(field as Field, { message: failureMessage(error) }, { shouldFocus: true })
    }
  }
  const test = $api.useMutation('post', '/api/admin/backup/config/test', { onError })
  const save = $api.useMutation('patch', '/api/admin/backup/config', {
    onSuccess: ({ config: saved }) => {
      test.reset()
      form.reset(formValuesOf(saved), { keepDirtyValues: false })
      notifications.show({ message: t('saved'), color: 'green' })
      return refreshConfigs()
    },
    onError,
  })
  const { encryptionKeyAgain: _, ...changed } = form.formState.dirtyFields
  const change = () => changeOf(form.getValues(), Object.keys(changed) as Field[])
  const patch = (body: ConfigChange) => save.mutate({ params, body })
  return {
    config,
    form,
    save,
    test,
    submit: form.handleSubmit(() => patch(change())),
    /** Back to what is saved. */
    discard: () => {
      save.reset()
      test.reset()
      form.reset(formValuesOf(config), { keepDirtyValues: false })
    },
    /** Back to what the environment says. */
    clear: (field: Field) => patch({ [field]: null }),
    tryOut: (what: TestConfig['what']) => {
      form.clearErrors()
      test.mutate({ params, body: { what, config: change() } })
    },
  }
}

export type ConfigForm = ReturnType<typeof useConfigForm>
