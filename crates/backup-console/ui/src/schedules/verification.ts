import type { TFunction } from 'i18next'
import type { Schedule, VerifyLevel, VerifyWhen } from '@/api/schema'

export const VERIFY_WHEN = [
  'NEVER',
  'EACH',
  'DAILY',
  'WEEKLY',
  'MONTHLY',
  'SAMPLED',
] as const satisfies VerifyWhen[]
export const VERIFY_LEVELS = ['CHECKSUM', 'CONTENT', 'RESTORE'] as const satisfies VerifyLevel[]

/** Which backups of a schedule are verified, and how thoroughly. */
export function verifyWords(
  schedule: Pick<Schedule, 'verifyWhen' | 'verifyLevel' | 'verifyPercent'>,
  t: TFunction<['schedules', 'common']>,
): string {
  const { verifyWhen, verifyLevel, verifyPercent } = schedule
  if (verifyWhen === 'NEVER') return t('verify.NEVER')
  const when =
    verifyWhen === 'SAMPLED' ? t('verify.sampled', { percent: verifyPercent }) : t(`verify.${verifyWhen}`)
  return t('verify.words', { when, level: t(`common:verifyLevel.${verifyLevel}`) })
}
