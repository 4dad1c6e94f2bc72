import { Stack } from '@mantine/core'
import { useQueryErrorResetBoundary } from '@tanstack/react-query'
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { FailureNotice } from './FailureNotice'
import { PageHeader } from './PageHeader'

/** Instead of a page that could not be shown. */
export function FailurePage({ error, reset }: ErrorComponentProps) {
  const { t } = useTranslation()
  const router = useRouter()
  const queries = useQueryErrorResetBoundary()
  const retry = async () => {
    queries.reset()
    await router.invalidate()
    reset()
  }
  return (
    <Stack>
      <PageHeader title={t('failure.page')} />
      <FailureNotice error={error} onRetry={retry} />
    </Stack>
  )
}
