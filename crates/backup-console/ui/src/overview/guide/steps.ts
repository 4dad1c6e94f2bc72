import type { Backup, BackupConfig, Status } from '@/api/schema'

/** The way from an empty installation to backups that come by themselves and are known to be good. */
export const STEPS = [
  'database',
  'folder',
  'storage',
  'key',
  'backup',
  'verify',
  'schedule',
  'notification',
] as const
export type Step = (typeof STEPS)[number]

/** What tells how far somebody is. */
export interface Facts {
  status: Pick<Status, 'lastSuccessful' | 'isAutoBackupEnabled'>
  config: Pick<BackupConfig, 'notificationEmails' | 'webhooks'>
  /** Good backups, the newest first. */
  backups: Pick<Backup, 'source' | 'verifiedAt' | 'verifyLevel' | 'verifyError'>[]
  /** What the server does not know: steps that somebody took in this browser. */
  passed: readonly Step[]
}

/** The steps that are done. A good backup says that whatever it came from and went to works. */
export function stepsDone({ status, config, backups, passed }: Facts): Set<Step> {
  const saved = (source: Backup['source']) =>
    backups.some(backup => backup.source === source || backup.source === 'FULL_SYSTEM')
  const done: Record<Step, boolean> = {
    database: saved('DATABASE'),
    folder: saved('FILES'),
    storage: backups.length > 0,
    key: false,
    backup: Boolean(status.lastSuccessful),
    // A checksum, or what was read back, restores nothing.
    verify: backups.some(each => each.verifiedAt && each.verifyLevel === 'RESTORE' && !each.verifyError),
    schedule: status.isAutoBackupEnabled,
    notification: config.notificationEmails.length > 0 || config.webhooks.length > 0,
  }
  return new Set(STEPS.filter(step => done[step] || passed.includes(step)))
}
