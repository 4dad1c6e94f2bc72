import { zodResolver } from '@hookform/resolvers/zod'
import { Button, Group, Modal, NativeSelect, PasswordInput, Stack, TextInput } from '@mantine/core'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { z } from 'zod'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import { FailureNotice } from '@/ui/FailureNotice'
import { MAX_PASSWORD, MIN_PASSWORD } from './PasswordModal'
import { ROLES } from './UserSettings'

const schema = z.object({
  email: z.email(),
  displayName: z.string().max(200),
  role: z.enum(ROLES),
  password: z.union([z.literal(''), z.string().min(MIN_PASSWORD).max(MAX_PASSWORD)]),
})

/** Lets one more person in: with a password, or through OpenID Connect alone. */
export default function CreateUserModal({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation(['settings', 'common'])
  const { register, handleSubmit, formState } = useForm<z.infer<typeof schema>>({
    resolver: zodResolver(schema),
    defaultValues: { email: '', displayName: '', role: 'VIEWER', password: '' },
  })
  const create = $api.useMutation('post', '/api/admin/users', {
    onSuccess: () => {
      onClose()
      return refresh('/api/admin/users')
    },
  })
  const submit = handleSubmit(({ email, role, displayName, password }) =>
    create.mutate({
      body: { email, role, ...(displayName && { displayName }), ...(password && { password }) },
    }),
  )
  return (
    <Modal opened onClose={onClose} title={t('user.add')}>
      <form onSubmit={submit} noValidate>
        <Stack>
          <TextInput
            type="email"
            label={t('user.email')}
            required
            autoComplete="off"
            data-autofocus
            error={formState.errors.email && t('user.emailInvalid')}
            {...register('email')}
          />
          <TextInput
            label={t('user.name')}
            description={t('user.nameHint')}
            autoComplete="off"
            error={formState.errors.displayName?.message}
            {...register('displayName')}
          />
          <NativeSelect
            label={t('user.role')}
            data={ROLES.map(value => ({ value, label: t(`user.may.${value}`) }))}
            {...register('role')}
          />
          <PasswordInput
            label={t('user.initialPassword')}
            description={t('user.passwordHint', { min: MIN_PASSWORD })}
            autoComplete="new-password"
            error={formState.errors.password && t('user.passwordInvalid', { min: MIN_PASSWORD })}
            {...register('password')}
          />
          <FailureNotice error={create.error} title={t('user.addFailed')} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('common:action.cancel')}
            </Button>
            <Button type="submit" loading={create.isPending}>
              {t('user.add')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
