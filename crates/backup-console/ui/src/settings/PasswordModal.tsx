import { Button, Group, Modal, PasswordInput, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { User } from '@/api/schema'
import { FailureNotice } from '@/ui/FailureNotice'

/** Characters of a new password. */
export const MIN_PASSWORD = 8
export const MAX_PASSWORD = 1024

/** Gives somebody a new password, which ends their sessions. */
export default function PasswordModal({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation(['settings', 'common'])
  const { register, handleSubmit, formState } = useForm({ defaultValues: { password: '', again: '' } })
  const { errors } = formState
  const update = $api.useMutation('patch', '/api/admin/users/{id}', {
    onSuccess: () => {
      notifications.show({ message: t('user.passwordSet', { name: user.email }), color: 'green' })
      onClose()
    },
  })
  const submit = handleSubmit(({ password }) =>
    update.mutate({ params: { path: { id: user.id } }, body: { password } }),
  )
  return (
    <Modal opened onClose={onClose} title={t('user.password')}>
      <form onSubmit={submit} noValidate>
        <Stack>
          <Text size="sm" className="wrap-anywhere">
            {t('user.passwordOf', { name: user.email })}
          </Text>
          <PasswordInput
            label={t('user.newPassword')}
            required
            data-autofocus
            autoComplete="new-password"
            error={errors.password && t('user.passwordInvalid', { min: MIN_PASSWORD })}
            {...register('password', { minLength: MIN_PASSWORD, maxLength: MAX_PASSWORD, required: true })}
          />
          <PasswordInput
            label={t('user.passwordAgain')}
            required
            autoComplete="new-password"
            error={errors.again && t('user.passwordDiffers')}
            {...register('again', { validate: (again, { password }) => again === password })}
          />
          <FailureNotice error={update.error} title={t('saveFailed')} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('common:action.cancel')}
            </Button>
            <Button type="submit" loading={update.isPending}>
              {t('user.password')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
