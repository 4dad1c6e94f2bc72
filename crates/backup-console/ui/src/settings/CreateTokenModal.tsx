import { Alert, Button, Code, CopyButton, Group, Modal, NativeSelect, Stack, TextInput } from '@mantine/core'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { TokenScope } from '@/api/schema'
import { FailureNotice } from '@/ui/FailureNotice'

const SCOPES = ['READ', 'OPERATE', 'ADMIN'] as const satisfies TokenScope[]
/** Days that a token may hold for; 0: for ever. */
const LIFETIMES = [30, 90, 365, 0] as const
const DAY = 86_400_000

/** Makes a token and shows its secret, this once. */
export default function CreateTokenModal({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation(['settings', 'common'])
  const { register, handleSubmit } = useForm<{ name: string; scope: TokenScope; days: string }>({
    defaultValues: { name: '', scope: 'READ', days: '90' },
  })
  const create = $api.useMutation('post', '/api/admin/tokens', {
    onSuccess: () => refresh('/api/admin/tokens'),
  })
  const submit = handleSubmit(({ name, scope, days }) => {
    const expiresAt = new Date(Date.now() + Number(days) * DAY).toISOString()
    create.mutate({ body: { name, scope, ...(days !== '0' && { expiresAt }) } })
  })
  return (
    <Modal
      opened
      onClose={onClose}
      title={t('token.add')}
      // A click beside it must not lose what is shown this once.
      closeOnClickOutside={!create.data}
    >
      {create.data ? (
        <Stack>
          <Alert color="yellow">{t('token.once')}</Alert>
          <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
            {create.data.secret}
          </Code>
          <Group justify="flex-end">
            <CopyButton value={create.data.secret}>
              {({ copied, copy }) => (
                <Button variant="default" onClick={copy}>
                  {copied ? t('token.copied') : t('token.copy')}
                </Button>
              )}
            </CopyButton>
            <Button onClick={onClose}>{t('token.done')}</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>
            <TextInput
              label={t('token.name')}
              description={t('token.nameHint')}
              required
              maxLength={200}
              data-autofocus
              {...register('name')}
            />
            <NativeSelect
              label={t('token.scope')}
              data={SCOPES.map(value => ({ value, label: t(`token.may.${value}`) }))}
              {...register('scope')}
            />
            <NativeSelect
              label={t('token.expires')}
              data={LIFETIMES.map(days => ({
                value: String(days),
                label: days === 0 ? t('token.forever') : t('token.days', { count: days }),
              }))}
              {...register('days')}
            />
            <FailureNotice error={create.error} title={t('token.addFailed')} />
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {t('common:action.cancel')}
              </Button>
              <Button type="submit" loading={create.isPending}>
                {t('token.add')}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  )
}
