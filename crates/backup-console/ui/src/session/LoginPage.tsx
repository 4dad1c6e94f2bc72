import {
  Alert,
  Button,
  Center,
  Divider,
  Group,
  Paper,
  PasswordInput,
  Stack,
  TextInput,
  Title,
} from '@mantine/core'
import { getRouteApi, useRouter } from '@tanstack/react-router'
import { useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { basePath, serverUrl } from '@/api/base'
import { $api } from '@/api/client'
import { queryClient } from '@/api/queries'
import type { Credentials } from '@/api/schema'
import { LanguageSwitch } from '@/layout/LanguageSwitch'
import { SchemeSwitch } from '@/layout/SchemeSwitch'
import { FailureNotice } from '@/ui/FailureNotice'
import { meQuery } from './me'

const route = getRouteApi('/login')

/** E-mail address and password, or on to the provider of OpenID Connect; then back to where the person was. */
export function LoginPage() {
  const { t } = useTranslation()
  const { returnTo = '/', expired } = route.useSearch()
  const router = useRouter()
  const methods = $api.useQuery('get', '/api/auth/methods')
  const { register, handleSubmit } = useForm<Credentials>()
  const logIn = $api.useMutation('post', '/api/auth/login', {
    onSuccess: async () => {
      queryClient.clear()
      await queryClient.fetchQuery(meQuery)
      router.history.push(basePath + returnTo)
    },
  })

  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper withBorder shadow="sm" p="xl" radius="md" w="100%" maw={400}>
        <Stack>
          <Title order={1} size="h3" ta="center">
            {t('title')}
          </Title>
          {expired && !logIn.isError && <Alert color="yellow">{t('login.expired')}</Alert>}
          <FailureNotice error={logIn.error} title={t('login.failed')} />
          <FailureNotice error={methods.error} onRetry={() => methods.refetch()} />
          {methods.data?.password !== false && (
            <form onSubmit={handleSubmit(body => logIn.mutate({ body }))}>
              <Stack>
                <TextInput
                  label={t('login.email')}
                  type="email"
                  autoComplete="username"
                  required
                  autoFocus
                  {...register('email')}
                />
                <PasswordInput
                  label={t('login.password')}
                  autoComplete="current-password"
                  required
                  {...register('password')}
                />
                <Button type="submit" loading={logIn.isPending}>
                  {t('login.submit')}
                </Button>
              </Stack>
            </form>
          )}
          {methods.data?.oidc && (
            <>
              {methods.data.password && <Divider />}
              <Button
                component="a"
                variant="default"
                href={serverUrl('api/auth/oidc/login', { returnTo: basePath + returnTo })}
              >
                {t('login.oidc')}
              </Button>
            </>
          )}
          <Group justify="center" gap="xs">
            <LanguageSwitch />
            <SchemeSwitch />
          </Group>
        </Stack>
      </Paper>
    </Center>
  )
}
