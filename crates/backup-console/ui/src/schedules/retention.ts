import type { TFunction } from 'i18next'
import type { Schedule } from '@/api/schema'

/** Periods of each of which the newest backup is kept, from the shortest on. */
export const KEEPS = ['keepHourly', 'keepDaily', 'keepWeekly', 'keepMonthly', 'keepYearly'] as const

export type Retention = Pick<Schedule, 'retentionDays' | 'maxBackups' | (typeof KEEPS)[number]>

/** What a schedule keeps, as a sentence. */
export function retentionWords(retention: Retention, t: TFunction<['schedules', 'common']>): string {
  const basis = t('retention.basis', {
    days: t('retention.days', { count: retention.retentionDays }),
    backups: t('retention.backups', { count: retention.maxBackups }),
  })
  const periods = KEEPS.flatMap(keep => {
    const count = retention[keep] ?? 0
    return count > 0 ? [t(`retention.${keep}`, { count })] : []
  })
  if (periods.length === 0) return basis
  return t('retention.beyond', { basis, periods: periods.join(t('retention.separator')) })
}
