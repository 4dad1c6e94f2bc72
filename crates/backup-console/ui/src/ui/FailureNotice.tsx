import { Alert, Button, Group, Stack, Text } from '@mantine/core'
import { IconAlertCircle } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { Failure } from '@/api/failure'

interface Props {
  /** What went wrong; nothing is shown where nothing did. */
  error: unknown
  /** What did not succeed. */
  title?: string
  onRetry?: () => unknown
}

/** The server's message, where it belongs: beside what was asked for. */
export function FailureNotice({ error, title, onRetry }: Props) {
  const { t } = useTranslation()
  const message = useFailureMessage()
  if (!error) return null
  const requestId = error instanceof Failure && error.status >= 500 ? error.requestId : null
  return (
    <Alert color="red" role="alert" title={title} icon={<IconAlertCircle aria-hidden />}>
      <Stack gap="xs" align="flex-start">
        <Text size="sm" className="wrap-anywhere">
          {message(error)}
        </Text>
        {error instanceof Failure && error.remark && (
          <Text size="xs" className="wrap-anywhere" lang="en">
            {error.remark}
          </Text>
        )}
        {requestId && (
          <Text size="xs" ff="monospace">
            {t('failure.request', { id: requestId })}
          </Text>
        )}
        {onRetry && (
          <Group>
            <Button size="xs" variant="default" onClick={() => void onRetry()}>
              {t('action.retry')}
            </Button>
          </Group>
        )}
      </Stack>
    </Alert>
  )
}

/** One sentence for people about anything that was thrown. */
export function useFailureMessage(): (error: unknown) => string {
  const { t } = useTranslation()
  return error => {
    if (!(error instanceof Failure)) {
      return t('failure.bug', { message: error instanceof Error ? error.message : String(error) })
    }
    if (error.message) return error.message
    return error.status === 0 ? t('failure.unreachable') : t('failure.unknown', { status: error.status })
  }
}
