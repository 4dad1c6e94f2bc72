import { Badge, Code, Group, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { Section } from '@/ui/Section'

const VARIABLES = [
  'OIDC_ISSUER_URL',
  'OIDC_CLIENT_ID',
  'OIDC_CLIENT_SECRET',
  'OIDC_ADMIN_GROUP',
  'BACKUP_PUBLIC_URL',
]

/** The ways to log in there are. They are the environment's, so nothing is changed here. */
export function LoginSettings() {
  const { t } = useTranslation('settings')
  return (
    <Section title={t('tab.login')}>
      <Methods />
      <Stack gap={4} mt="md">
        <Text size="sm">{t('login.how')}</Text>
        <Group gap={6}>
          {VARIABLES.map(name => (
            <Code key={name}>{name}</Code>
          ))}
        </Group>
      </Stack>
    </Section>
  )
}

function Methods() {
  const { t } = useTranslation('settings')
  const methods = $api.useSuspenseQuery('get', '/api/auth/methods').data
  return (
    <Stack gap="xs">
      {(['password', 'oidc'] as const).map(method => (
        <Group key={method} gap="xs">
          <Text size="sm">{t(`login.${method}`)}</Text>
          <Badge color={methods[method] ? 'green' : 'gray'} variant="light">
            {methods[method] ? t('on') : t('off')}
          </Badge>
        </Group>
      ))}
    </Stack>
  )
}
