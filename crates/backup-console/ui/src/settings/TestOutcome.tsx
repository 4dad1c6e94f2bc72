import { Alert, Text } from '@mantine/core'
import { IconAlertCircle, IconCircleCheck } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { TestResult } from '@/api/schema'
import { formatSize } from '@/i18n/format'

/** What a test found: whether it works, what was reached, or what to do. */
export function TestOutcome({ result }: { result: TestResult }) {
  const { t } = useTranslation('settings')
  const { serverVersion, dumpVersion, estimatedBytes } = result
  return (
    <Alert
      role={result.ok ? 'status' : 'alert'}
      color={result.ok ? 'green' : 'red'}
      title={result.message}
      icon={result.ok ? <IconCircleCheck aria-hidden /> : <IconAlertCircle aria-hidden />}
    >
      <Text size="sm" className="wrap-anywhere" style={{ whiteSpace: 'pre-line' }}>
        {result.detail}
      </Text>
      {serverVersion && <Text size="sm">{t('test.server', { version: serverVersion })}</Text>}
      {dumpVersion && <Text size="sm">{t('test.dump', { version: dumpVersion })}</Text>}
      {typeof estimatedBytes === 'number' && (
        <Text size="sm">{t('test.estimated', { size: formatSize(estimatedBytes) })}</Text>
      )}
    </Alert>
  )
}
