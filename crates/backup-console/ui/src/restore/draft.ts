import type { Backup, BackupConfig, Contents, CreateRestore, RestoreMode } from '@/api/schema'
import { FILES } from '@/archive/path'

/** What is being filled in, step by step. */
export interface Draft {
  restoreDatabase: boolean
  restoreFiles: boolean
  restoreConfig: boolean
  /** Only these tables, as `schema.name`; empty: all. */
  tables: string[]
  /** Only these paths of the files, as the archive browser shows them without the part; empty: all. */
  paths: string[]
  mode: RestoreMode
  /** Empty: in mode REPLACE the configuration's. */
  targetDatabase: string
  targetDir: string
  safetyBackup: boolean
  /** From 1 to 720. */
  keepOldHours: number
  skipOwner: boolean
}

/** Everything that the backup has, beside what is there: the choice that cannot harm. */
export function newDraft(contents: Contents): Draft {
  return {
    restoreDatabase: Boolean(contents.database),
    restoreFiles: Boolean(contents.files),
    restoreConfig: Boolean(contents.config),
    tables: [],
    paths: [],
    mode: 'NEW',
    targetDatabase: '',
    targetDir: '',
    safetyBackup: true,
    keepOldHours: 72,
    skipOwner: false,
  }
}

/** Whether the draft restores anything. */
export function restoresAnything(draft: Draft): boolean {
  return draft.restoreDatabase || draft.restoreFiles || draft.restoreConfig
}

/** Whether it chooses single tables or paths, which cannot take the place of a whole database or folder. */
export function isSelective(draft: Draft): boolean {
  return (draft.restoreDatabase && draft.tables.length > 0) || (draft.restoreFiles && draft.paths.length > 0)
}

/** Whether there is anything to replace: the configuration is restored beside in any case. */
export function hasTarget(draft: Draft): boolean {
  return draft.restoreDatabase || draft.restoreFiles
}

export type TargetProblem = 'missing' | 'notAbsolute' | 'hours'

/** What is wrong with the target, by field. */
export function targetProblems(
  draft: Draft,
): Partial<Record<'targetDatabase' | 'targetDir' | 'keepOldHours', TargetProblem>> {
  const isNew = draft.mode === 'NEW'
  const { targetDatabase, targetDir, keepOldHours } = draft
  return {
    ...(draft.restoreDatabase && isNew && !targetDatabase.trim() && { targetDatabase: 'missing' }),
    ...(draft.restoreFiles &&
      (targetDir.trim()
        ? !targetDir.trim().startsWith('/') && { targetDir: 'notAbsolute' }
        : isNew && { targetDir: 'missing' })),
    ...(!isNew &&
      !(Number.isInteger(keepOldHours) && keepOldHours >= 1 && keepOldHours <= 720) && {
        keepOldHours: 'hours',
      }),
  }
}

/** The question to the server; nothing is in it that does not count. */
export function toBody(draft: Draft): CreateRestore {
  const { restoreDatabase, restoreFiles, restoreConfig, mode, tables, paths } = draft
  const [database, dir] = [draft.targetDatabase.trim(), draft.targetDir.trim()]
  return {
    restoreDatabase,
    restoreFiles,
    restoreConfig,
    mode,
    ...(restoreDatabase && { skipOwner: draft.skipOwner, ...(database && { targetDatabase: database }) }),
    ...(restoreFiles && dir && { targetDir: dir }),
    ...(mode === 'NEW'
      ? {
          ...(restoreDatabase && tables.length > 0 && { tables }),
          ...(restoreFiles && paths.length > 0 && { paths: paths.map(path => FILES + path) }),
        }
      : { safetyBackup: draft.safetyBackup, keepOldHours: draft.keepOldHours }),
  }
}

/** What is typed to confirm: the name of what is written to, so that nobody overwrites another than is meant. */
export function confirmationOf(
  draft: Draft,
  backup: Pick<Backup, 'name'>,
  config: Pick<BackupConfig, 'databaseName' | 'uploadDir'> | undefined,
): string {
  const replaces = draft.mode === 'REPLACE'
  const database = draft.targetDatabase.trim() || (replaces && config?.databaseName)
  const dir = draft.targetDir.trim() || (replaces && config?.uploadDir)
  return (draft.restoreDatabase && database) || (draft.restoreFiles && dir) || backup.name
}
