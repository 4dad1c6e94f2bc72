import { useQueryErrorResetBoundary } from '@tanstack/react-query'
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router'
import { FailureNotice } from './FailureNotice'

/** Instead of a page that could not be shown. */
export function FailurePage({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  const queries = useQueryErrorResetBoundary()
  const retry = async () => {
    queries.reset()
    await router.invalidate()
    reset()
  }
  return <FailureNotice error={error} onRetry={retry} />
}
