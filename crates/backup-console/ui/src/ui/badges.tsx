import { Badge, type MantineColor, Progress, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { BackupSource, BackupTrigger, BackupType, JobStatus } from '@/api/schema'

const STATUS_COLORS: Record<JobStatus, MantineColor> = {
  PENDING: 'gray',
  IN_PROGRESS: 'blue',
  COMPLETED: 'green',
  FAILED: 'red',
  CANCELLED: 'yellow',
}

export function TypeBadge({ type }: { type: BackupType }) {
  const { t } = useTranslation()
  return (
    <Badge variant="default" fw={500}>
      {t(`type.${type}`)}
    </Badge>
  )
}

export function SourceBadge({ source }: { source: BackupSource }) {
  const { t } = useTranslation()
  return (
    <Badge variant="default" fw={500}>
      {t(`source.${source}`)}
    </Badge>
  )
}

export function TriggerBadge({ trigger }: { trigger: BackupTrigger }) {
  const { t } = useTranslation()
  return (
    <Badge variant="default" fw={500}>
      {t(`trigger.${trigger}`)}
    </Badge>
  )
}

/** Anything that runs: a backup, a restore. */
export interface Job {
  status: JobStatus
  progress: number
  currentStep: string
  errorMessage?: string | null
}

/** Whether the job waits or runs. */
export function isActive(job: Pick<Job, 'status'>): boolean {
  return job.status === 'PENDING' || job.status === 'IN_PROGRESS'
}

/** Where a job stands; of a running one how far it is and what it does, of a failed one why. */
export function StatusBadge({ job, label }: { job: Job; label: string }) {
  const { t } = useTranslation()
  return (
    <Stack gap={4} miw={job.status === 'IN_PROGRESS' ? 110 : undefined}>
      <Badge color={STATUS_COLORS[job.status]} variant="light">
        {t(`status.${job.status}`)}
        {job.status === 'IN_PROGRESS' && ` ${job.progress}%`}
      </Badge>
      {job.status === 'IN_PROGRESS' && (
        <>
          <Progress.Root size="sm">
            <Progress.Section value={job.progress} aria-label={label} />
          </Progress.Root>
          <Text size="xs">{job.currentStep}</Text>
        </>
      )}
      {job.status === 'FAILED' && job.errorMessage && (
        <Text size="xs" className="wrap-anywhere" lineClamp={3} title={job.errorMessage}>
          {job.errorMessage}
        </Text>
      )}
    </Stack>
  )
}
