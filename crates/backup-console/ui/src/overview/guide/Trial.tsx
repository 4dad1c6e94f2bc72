import { Button, Code, Group } from '@mantine/core'
import { IconPlugConnected } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { TestConfig } from '@/api/schema'
import type { ConfigTab } from '@/settings/search'
import { TestOutcome } from '@/settings/TestOutcome'
import { FailureNotice } from '@/ui/FailureNotice'
import { ButtonLink } from '@/ui/links'

/** The way to where it is set. */
export function SettingsLink({ tab, variant = 'default' }: { tab: ConfigTab; variant?: string }) {
  const { t } = useTranslation('guide')
  return (
    <ButtonLink to="/settings" search={{ tab }} size="xs" variant={variant}>
      {t('settings')}
    </ButtonLink>
  )
}

interface TrialProps {
  what: TestConfig['what']
  tab: ConfigTab
  /** What is tried. */
  now: string
  onPassed: () => void
}

/** Tries what is set, and leads to where it is set. */
export function Trial({ what, tab, now, onPassed }: TrialProps) {
  const { t } = useTranslation(['guide', 'settings'])
  const test = $api.useMutation('post', '/api/admin/backup/config/test', {
    onSuccess: ({ ok }) => ok && onPassed(),
  })
  return (
    <>
      <Code className="wrap-anywhere">{now}</Code>
      <Group gap="xs">
        <Button
          size="xs"
          leftSection={<IconPlugConnected size={16} aria-hidden />}
          loading={test.isPending}
          onClick={() => test.mutate({ body: { what } })}
        >
          {t(`settings:test.${what}`)}
        </Button>
        <SettingsLink tab={tab} />
      </Group>
      <FailureNotice error={test.error} title={t('settings:test.failed')} />
      {test.data && <TestOutcome result={test.data} />}
    </>
  )
}
