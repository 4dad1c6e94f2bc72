import type { BackupConfig, ConfigChange } from '@/api/schema'

/** Secrets: the server never shows them, and takes new ones. */
export const SECRETS = ['storageConnectionString', 'databasePassword', 'encryptionKey'] as const
export type Secret = (typeof SECRETS)[number]

/** Fields that the environment says where the catalog does not. */
const OF_ENVIRONMENT: readonly (keyof ConfigChange)[] = [
  ...SECRETS,
  'storageUrl',
  'containerName',
  'databaseHost',
  'databasePort',
  'databaseName',
  'databaseUser',
  'uploadDir',
  'compressionAlgorithm',
  'quotaGigabytes',
]

/** A configuration as forms hold it: what is absent is an empty text, and secrets are what is typed anew. */
export type ConfigValues = {
  [Field in
    | 'storageUrl'
    | 'containerName'
    | 'databaseHost'
    | 'databaseName'
    | 'databaseUser'
    | 'uploadDir']: string
} & { [Field in Secret]: string } & {
  [Field in 'databasePort' | 'quotaGigabytes' | 'verifyWithinDays' | 'maxConcurrentJobs']: number | ''
} & Pick<
    BackupConfig,
    | 'compressionEnabled'
    | 'compressionAlgorithm'
    | 'encryptionEnabled'
    | 'notifyOnSuccess'
    | 'notifyOnFailure'
    | 'notificationEmails'
    | 'notificationLanguage'
    | 'quotaPolicy'
  > & {
    /** Whole numbers as they are typed. */
    usageAlertPercents: string[]
  }

export type Field = keyof ConfigValues

/** What a form holds: what nobody sees while it is typed, and nothing can be opened without, is typed twice. */
export type FormValues = ConfigValues & { encryptionKeyAgain: string }

export function valuesOf(config: BackupConfig): ConfigValues {
  return {
    storageUrl: config.storageUrl ?? '',
    storageConnectionString: '',
    containerName: config.containerName ?? '',
    compressionEnabled: config.compressionEnabled,
    compressionAlgorithm: config.compressionAlgorithm,
    databaseHost: config.databaseHost,
    databasePort: config.databasePort,
    databaseName: config.databaseName ?? '',
    databaseUser: config.databaseUser ?? '',
    databasePassword: '',
    uploadDir: config.uploadDir,
    encryptionEnabled: config.encryptionEnabled,
    encryptionKey: '',
    notifyOnSuccess: config.notifyOnSuccess,
    notifyOnFailure: config.notifyOnFailure,
    notificationEmails: config.notificationEmails,
    notificationLanguage: config.notificationLanguage,
    quotaGigabytes: config.quotaGigabytes ?? '',
    quotaPolicy: config.quotaPolicy,
    usageAlertPercents: config.usageAlertPercents.map(String),
    verifyWithinDays: config.verifyWithinDays ?? '',
    maxConcurrentJobs: config.maxConcurrentJobs ?? '',
  }
}

/**
 * What is to be sent of a form: the fields that somebody changed. An emptied one goes back to what the environment says;
 * a secret that was typed and removed again stays as it is.
 */
export function changeOf(values: ConfigValues, changed: readonly Field[]): ConfigChange {
  const change: Record<string, unknown> = {}
  for (const field of changed) {
    const value = values[field]
    if (value === '') {
      if (!isSecret(field)) change[field] = null
    } else {
      change[field] = field === 'usageAlertPercents' ? percents(values[field]) : value
    }
  }
  return change
}

export function isSecret(field: Field): field is Secret {
  return SECRETS.some(each => each === field)
}

/** Whether the field is the environment's and somebody has said otherwise here. */
export function isOverridden(config: BackupConfig, field: Field): boolean {
  return OF_ENVIRONMENT.includes(field) && config.overrides.includes(field)
}

/** Ascending and each once, as the server wants them. */
function percents(typed: string[]): number[] {
  return [...new Set(typed.map(Number))].sort((one, other) => one - other)
}
