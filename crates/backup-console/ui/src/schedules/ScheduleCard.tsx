import { Badge, Card, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core'
import { type ReactNode, useId } from 'react'
import { useTranslation } from 'react-i18next'
import type { Schedule } from '@/api/schema'
import { SourceBadge, TypeBadge } from '@/ui/badges'
import { FailureNotice } from '@/ui/FailureNotice'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { CronDisplay } from './CronDisplay'
import { LastResult } from './LastResult'
import { NextRuns } from './NextRuns'
import { retentionWords } from './retention'
import { ScheduleMenu } from './ScheduleMenu'
import { ToggleButton } from './ToggleButton'
import { useScheduleActions } from './useScheduleActions'
import { verifyWords } from './verification'

/** Runs that a card names. */
const RUNS = 3

/** One schedule: when, what, for how long, and how it went. */
export function ScheduleCard({ schedule }: { schedule: Schedule }) {
  const { t } = useTranslation(['schedules', 'common'])
  const id = useId()
  const actions = useScheduleActions(schedule)
  return (
    <Card component="section" withBorder padding="md" aria-labelledby={id} data-schedule={schedule.id}>
      <Stack gap="sm">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <ScheduleInfo schedule={schedule} headingId={id} />
          <Group gap="xs" wrap="nowrap">
            <ToggleButton schedule={schedule} actions={actions} />
            <ScheduleMenu schedule={schedule} actions={actions} />
          </Group>
        </Group>
        <FailureNotice error={actions.error} title={t('action.failed')} />
        <SimpleGrid component="dl" m={0} cols={{ base: 1, xs: 2, lg: 3 }}>
          <Fact label={t('field.cron')}>
            <CronDisplay schedule={schedule} />
            {schedule.startWindow && (
              <Text size="xs">{t('startWindow', { hours: schedule.startWindow })}</Text>
            )}
          </Fact>
          <Fact label={t('field.next')}>
            {schedule.isEnabled ? (
              <NextRuns expression={schedule.cronExpression} timezone={schedule.timezone} count={RUNS} />
            ) : (
              t('paused')
            )}
          </Fact>
          <Fact label={t('field.retention')}>{retentionWords(schedule, t)}</Fact>
          {schedule.consolidateEvery != null && schedule.backupType !== 'FULL' && (
            <Fact label={t('field.consolidate')}>
              {t('consolidate', { count: schedule.consolidateEvery })}
            </Fact>
          )}
          <Fact label={t('field.last')}>
            <LastResult schedule={schedule} />
          </Fact>
          <Fact label={t('field.lastSuccess')}>
            <TimeDisplay at={schedule.lastSuccessAt} />
          </Fact>
          <Fact label={t('field.verify')}>
            {verifyWords(schedule, t)}
            {schedule.verifyWhen !== 'NEVER' && (
              <Text size="xs">
                {schedule.lastVerifyPassedAt ? (
                  <>
                    {t('verify.passed')}
                    <TimeDisplay at={schedule.lastVerifyPassedAt} />
                  </>
                ) : (
                  t('verify.notYet')
                )}
              </Text>
            )}
          </Fact>
        </SimpleGrid>
      </Stack>
    </Card>
  )
}

function ScheduleInfo({ schedule, headingId }: { schedule: Schedule; headingId: string }) {
  const { t } = useTranslation('schedules')
  return (
    <Stack gap={4}>
      <Title order={2} size="h5" id={headingId} className="wrap-anywhere">
        {schedule.name}
      </Title>
      {schedule.description && (
        <Text size="sm" className="wrap-anywhere">
          {schedule.description}
        </Text>
      )}
      <Group gap={6}>
        <TypeBadge type={schedule.backupType} />
        <SourceBadge source={schedule.backupSource} />
        {schedule.configKey !== 'default' && (
          <Badge variant="default" fw={500}>
            {t('field.config')} {schedule.configKey}
          </Badge>
        )}
      </Group>
    </Stack>
  )
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div>
      <Text component="dt" size="xs" fw={700}>
        {label}
      </Text>
      <Text component="dd" size="sm" m={0} className="wrap-anywhere">
        {children}
      </Text>
    </div>
  )
}
