import { Button, Group, Stack } from '@mantine/core'
import { IconPlugConnected } from '@tabler/icons-react'
import { createContext, type ReactNode, useContext } from 'react'
import { useTranslation } from 'react-i18next'
import type { BackupConfig, TestConfig } from '@/api/schema'
import { useCan } from '@/session/me'
import { FailureNotice } from '@/ui/FailureNotice'
import { Section } from '@/ui/Section'
import { TestOutcome } from './TestOutcome'
import { type ConfigForm, useConfigForm } from './useConfigForm'

interface Props {
  title: string
  config: BackupConfig
  /** What can be tried, each by a button. */
  tests?: TestConfig['what'][]
  children: ReactNode
}

const Context = createContext<ConfigForm | null>(null)

/** The form that a setting belongs to. */
export function useSettings(): ConfigForm {
  const form = useContext(Context)
  if (!form) throw new Error('a setting stands outside of a ConfigSection')
  return form
}

/** A part of a configuration: a form for who may change it, and a list for everybody else. */
export function ConfigSection({ title, config, tests = [], children }: Props) {
  const { t } = useTranslation('settings')
  const can = useCan()
  const settings = useConfigForm(config)
  const { form, save, test, submit, discard, tryOut } = settings
  return (
    <Context value={settings}>
      <Section title={title}>
        <form onSubmit={submit} noValidate>
          <Stack maw={640}>
            {children}
            {can('ADMIN') && (
              <>
                <FailureNotice error={save.error} title={t('saveFailed')} />
                <FailureNotice error={test.error} title={t('test.failed')} />
                {test.data && <TestOutcome result={test.data} />}
                <Group>
                  <Button type="submit" loading={save.isPending} disabled={!form.formState.isDirty}>
                    {t('save')}
                  </Button>
                  {tests.map(what => (
                    <Button
                      key={what}
                      variant="default"
                      leftSection={<IconPlugConnected size={18} aria-hidden />}
                      loading={test.isPending && test.variables.body.what === what}
                      disabled={test.isPending}
                      onClick={() => tryOut(what)}
                    >
                      {t(`test.${what}`)}
                    </Button>
                  ))}
                  {form.formState.isDirty && (
                    <Button variant="subtle" onClick={discard}>
                      {t('discard')}
                    </Button>
                  )}
                </Group>
              </>
            )}
          </Stack>
        </form>
      </Section>
    </Context>
  )
}
