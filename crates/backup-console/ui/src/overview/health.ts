import type { Status } from '@/api/schema'
import { isLate } from './strip/days'

export type HealthLevel = 'well' | 'attention' | 'risk'

/** Why it is not well; what the sentence says about it. */
export type HealthReason =
  | { key: 'noBackup' | 'lastFailed' | 'noSchedule' }
  | { key: 'notFired'; dueAt: string }
  | { key: 'critical' | 'warning'; count: number }
  | { key: 'storage'; percent: number }

/** How much of the storage is too much to be well. */
export const STORAGE_HIGH = 80

/** Whether the data was safe `now`, when the status was told, and every reason why it may not be, the worst first. */
export function assessHealth(status: Status, now: number): { level: HealthLevel; reasons: HealthReason[] } {
  const risks: HealthReason[] = []
  const remarks: HealthReason[] = []
  const { lastSuccessful, lastFailed, nextScheduled, storage } = status
  if (!lastSuccessful) risks.push({ key: 'noBackup' })
  else if (lastFailed && lastFailed.createdAt > lastSuccessful.createdAt) risks.push({ key: 'lastFailed' })
  // Where no scheduler runs, nobody is there either who could raise an alert.
  if (nextScheduled && !status.pause && isLate(nextScheduled, now)) {
    risks.push({ key: 'notFired', dueAt: nextScheduled })
  }

  const open = status.alerts.filter(alert => !alert.resolvedAt)
  const critical = open.filter(alert => alert.severity === 'CRITICAL').length
  // Somebody knows of an acknowledged one; it does not shout any more.
  const warnings = open.filter(alert => alert.severity === 'WARNING' && !alert.acknowledgedAt).length
  if (critical > 0) risks.push({ key: 'critical', count: critical })
  if (warnings > 0) remarks.push({ key: 'warning', count: warnings })
  if (!status.isAutoBackupEnabled) remarks.push({ key: 'noSchedule' })
  if ((storage.usagePercent ?? 0) > STORAGE_HIGH) {
    remarks.push({ key: 'storage', percent: storage.usagePercent ?? 0 })
  }
  const level = risks.length > 0 ? 'risk' : remarks.length > 0 ? 'attention' : 'well'
  return { level, reasons: [...risks, ...remarks] }
}
