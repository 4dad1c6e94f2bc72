import type { BackupConfig, BackupDetails, Contents } from '@/api/schema'
import type { Draft } from './draft'
import type { Step } from './search'

/** What each step of the wizard is given. */
export interface StepProps {
  backup: BackupDetails
  contents: Contents
  /** The configuration that the backup was made by; none where it is no longer there. */
  config: BackupConfig | undefined
  draft: Draft
  onChange: (changes: Partial<Draft>) => void
  onGo: (to: Step | 'point') => void
}
