import { Anchor, Stack } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { PageHeader } from './PageHeader'

export function MissingPage() {
  const { t } = useTranslation()
  return (
    <Stack p="md" align="flex-start">
      <PageHeader title={t('failure.missing')} />
      <Anchor component={Link} to="/">
        {t('failure.home')}
      </Anchor>
    </Stack>
  )
}
