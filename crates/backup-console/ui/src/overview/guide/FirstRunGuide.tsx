import { Accordion, Alert, Button, Card, Group, Text, Title, VisuallyHidden } from '@mantine/core'
import { IconCircleCheck, IconCircleDashed } from '@tabler/icons-react'
import { useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Status } from '@/api/schema'
import { GuideStep } from './GuideStep'
import { setGuide, useProgress } from './progress'
import { STEPS, stepsDone } from './steps'

/** Good backups that are looked at for one that was verified. */
const LOOKED_AT = 20

/** What is still missing until backups come by themselves and are known to be good, and the way to each of it. */
export default function FirstRunGuide({ status }: { status: Status }) {
  const { t } = useTranslation('guide')
  const id = useId()
  const { passed } = useProgress()
  // What somebody opened or closed themselves; until then the first step that is not done is open.
  const [chosen, setChosen] = useState<string | null>()
  const { configs } = $api.useSuspenseQuery('get', '/api/admin/backup/configs').data
  const query = { status: 'COMPLETED' as const, limit: LOOKED_AT }
  const { backups } = $api.useSuspenseQuery('get', '/api/admin/backup', { params: { query } }).data
  useEffect(() => setGuide('open'), [])
  const config = configs[0]
  if (!config) return null
  const done = stepsDone({ status, config, backups, passed })
  const next = STEPS.find(step => !done.has(step))
  return (
    <Card component="section" withBorder padding="md" aria-labelledby={id} data-guide={done.size}>
      <Group justify="space-between" gap="xs" mb="sm">
        <Title order={2} size="h5" id={id}>
          {t('title')}
        </Title>
        <Group gap="sm">
          <Text size="sm" role="status">
            {t('progress', { done: done.size, total: STEPS.length })}
          </Text>
          <Button size="xs" variant={next ? 'subtle' : 'filled'} onClick={() => setGuide('closed')}>
            {next ? t('dismiss') : t('finish')}
          </Button>
        </Group>
      </Group>
      {!next && (
        <Alert color="green" icon={<IconCircleCheck aria-hidden />}>
          {t('finished')}
        </Alert>
      )}
      <Accordion
        order={3}
        value={chosen === undefined ? (next ?? null) : chosen}
        onChange={setChosen}
        transitionDuration={0}
      >
        {STEPS.map(step => {
          const isDone = done.has(step)
          const Icon = isDone ? IconCircleCheck : IconCircleDashed
          return (
            <Accordion.Item key={step} value={step} data-step={step} data-done={isDone}>
              <Accordion.Control
                icon={
                  <Icon
                    size={20}
                    aria-hidden
                    color={isDone ? 'var(--mantine-color-green-text)' : 'currentColor'}
                  />
                }
              >
                <Text size="sm" fw={600}>
                  {t(`${step}.title`)}
                  <VisuallyHidden>{isDone ? t('done') : t('open')}</VisuallyHidden>
                </Text>
              </Accordion.Control>
              <Accordion.Panel>
                <GuideStep
                  step={step}
                  isDone={isDone}
                  config={config}
                  status={status}
                  onPassed={() => setChosen(undefined)}
                />
              </Accordion.Panel>
            </Accordion.Item>
          )
        })}
      </Accordion>
    </Card>
  )
}
