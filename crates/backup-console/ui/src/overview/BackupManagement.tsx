import { Badge, Group, Stack } from '@mantine/core'
import { IconCalendarPlus } from '@tabler/icons-react'
import { lazy } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { CreateButtons } from '@/backups/CreateButtons'
import { useCan } from '@/session/me'
import { ButtonLink } from '@/ui/links'
import { PageHeader } from '@/ui/PageHeader'
import { Section } from '@/ui/Section'
import { ActiveJobs } from './ActiveJobs'
import { AlertList } from './AlertList'
import { FirstRun } from './guide/FirstRun'
import { HealthSentence } from './HealthSentence'
import { StatusCards } from './StatusCards'
import { ScheduleStrips } from './strip/ScheduleStrips'

/** Apart from the first load: drawing takes more code than all the rest of the page. */
const Charts = lazy(() => import('./charts/Charts'))

/** The overview: in five seconds, whether the data is safe. */
export function BackupManagement() {
  const { t } = useTranslation(['overview', 'common', 'charts'])
  const can = useCan()
  const { data: status } = $api.useSuspenseQuery('get', '/api/admin/backup/status')
  return (
    <Stack>
      <PageHeader title={t('common:title')}>
        <Group>
          {status.activeBackups > 0 && (
            <Badge color="blue" variant="light" size="lg" role="status">
              {t('active', { count: status.activeBackups })}
            </Badge>
          )}
        </Group>
      </PageHeader>
      <HealthSentence />
      <FirstRun status={status} />
      <StatusCards status={status} />
      <CreateButtons>
        {can('ADMIN') && (
          <ButtonLink
            to="/schedules"
            search={{ create: true }}
            variant="default"
            leftSection={<IconCalendarPlus size={18} aria-hidden />}
          >
            {t('addSchedule')}
          </ButtonLink>
        )}
      </CreateButtons>
      <Section title={t('jobs.title')}>
        <ActiveJobs />
      </Section>
      <Section title={t('alerts.title')}>
        <AlertList alerts={status.alerts} />
      </Section>
      <Section title={t('charts:strip.title')}>
        <ScheduleStrips />
      </Section>
      <Section title={t('charts:charts')}>
        <Charts />
      </Section>
    </Stack>
  )
}
