/** What the audit log records. An action that is not among these is shown as it is. */
export const ACTIONS = [
  'LOGIN',
  'LOGIN_FAILED',
  'LOGOUT',
  'BACKUP_CREATE',
  'BACKUP_CANCEL',
  'BACKUP_VERIFY',
  'BACKUP_CONSOLIDATE',
  'BACKUP_DOWNLOAD',
  'BACKUP_FILE_DOWNLOAD',
  'BACKUP_PROTECT',
  'BACKUP_UNPROTECT',
  'BACKUP_DELETE',
  'BACKUP_EXPIRE',
  'BACKUP_ADOPT',
  'ORPHAN_REMOVE',
  'RESTORE_CREATE',
  'RESTORE_CANCEL',
  'RESTORE_CONFIRM',
  'RESTORE_ROLLBACK',
  'SCHEDULE_CREATE',
  'SCHEDULE_UPDATE',
  'SCHEDULE_DELETE',
  'SCHEDULE_TRIGGER',
  'CONFIG_CREATE',
  'CONFIG_UPDATE',
  'CONFIG_DELETE',
  'CONFIG_TEST',
  'USER_CREATE',
  'USER_UPDATE',
  'USER_DELETE',
  'TOKEN_CREATE',
  'TOKEN_DELETE',
  'ALERT_ACKNOWLEDGE',
  'SYSTEM_PAUSE',
  'SYSTEM_RESUME',
  'AUDIT_EXPORT',
  'CATALOG_REBUILD',
] as const

/** What actions are about. */
export const RESOURCES = [
  'Backup',
  'RestoreRecord',
  'BackupSchedule',
  'BackupConfig',
  'User',
  'ApiToken',
  'Alert',
  'AuditLog',
  'Catalog',
  'System',
] as const

/** Whether the texts have a word for it. */
export function isKnown<Word extends string>(words: readonly Word[], word: string): word is Word {
  return words.some(each => each === word)
}
