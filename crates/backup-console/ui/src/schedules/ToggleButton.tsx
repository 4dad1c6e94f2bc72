import { Badge, Switch } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Schedule } from '@/api/schema'
import { useCan } from '@/session/me'
import type { ScheduleActions } from './useScheduleActions'

/** Whether a schedule fires; a switch for who may change that. */
export function ToggleButton({ schedule, actions }: { schedule: Schedule; actions: ScheduleActions }) {
  const { t } = useTranslation('schedules')
  const can = useCan()
  const state = schedule.isEnabled ? t('enabled') : t('disabled')
  if (!can('ADMIN')) {
    return (
      <Badge color={schedule.isEnabled ? 'green' : 'gray'} variant="light" autoContrast>
        {state}
      </Badge>
    )
  }
  return (
    <Switch
      checked={schedule.isEnabled}
      disabled={actions.isPending}
      onChange={actions.toggle}
      label={state}
      labelPosition="left"
      aria-label={t('toggle', { name: schedule.name })}
      withThumbIndicator={false}
    />
  )
}
