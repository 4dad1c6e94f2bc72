import { VisuallyHidden } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Schedule } from '@/api/schema'
import { type Day, type DayState, dayAfter } from './days'
import classes from './Strip.module.css'

/** What is told by a sign too, not by its colour alone. */
const SIGNS: Record<DayState, string> = {
  failed: '✕',
  partly: '±',
  missed: '!',
  skipped: '–',
  running: '…',
  good: '✓',
  gone: '✓',
  none: '',
}

interface Props {
  days: Day[]
  schedule: Pick<Schedule, 'id' | 'name' | 'timezone'>
}

/** Days in a row, each with what came of it; those on which something failed lead to what that was. */
export function Strip({ days, schedule }: Props) {
  const { t, i18n } = useTranslation('charts')
  // The list of backups counts days in the viewer's zone: where that is another, the days around it are shown too.
  const around = Intl.DateTimeFormat().resolvedOptions().timeZone === schedule.timezone ? 0 : 1
  const format = new Intl.DateTimeFormat(i18n.language, { month: 'short', day: 'numeric', timeZone: 'UTC' })
  return (
    <ol
      className={classes.strip}
      aria-label={t('strip.of', { name: schedule.name, zone: schedule.timezone })}
    >
      {days.map(day => {
        const label = t('strip.day', {
          day: format.format(Date.parse(day.day)),
          state: t(`strip.state.${day.state}`),
        })
        const sign = <span aria-hidden>{SIGNS[day.state]}</span>
        return (
          <li
            key={day.day}
            className={`${classes.day} ${classes[day.state]}`}
            title={label}
            data-day={day.state}
          >
            {day.failed > 0 ? (
              <Link
                to="/backups"
                search={{
                  scheduleId: schedule.id,
                  status: 'FAILED',
                  from: dayAfter(day.day, -around),
                  to: dayAfter(day.day, around),
                }}
                aria-label={label}
              >
                {sign}
              </Link>
            ) : (
              <>
                {sign}
                <VisuallyHidden>{label}</VisuallyHidden>
              </>
            )}
          </li>
        )
      })}
    </ol>
  )
}
