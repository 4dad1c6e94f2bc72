import { Anchor, Stack, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

export function MissingPage() {
  const { t } = useTranslation()
  return (
    <Stack p="md" align="flex-start">
      <Text>{t('failure.missing')}</Text>
      <Anchor component={Link} to="/">
        {t('failure.home')}
      </Anchor>
    </Stack>
  )
}
