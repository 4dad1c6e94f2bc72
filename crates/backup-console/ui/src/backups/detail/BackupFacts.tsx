import { ActionIcon, Code, CopyButton, Group } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { BackupDetails } from '@/api/schema'
import { formatDuration, formatNumber, formatSize } from '@/i18n/format'
import { Fact, Facts } from '@/ui/Facts'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { bytesPerSecond, ratio, timings } from './timings'

/** What is known of a backup: who asked for it, when, how long it took, and where it is. */
export function BackupFacts({ backup }: { backup: BackupDetails }) {
  const { t } = useTranslation('detail')
  const { waited, took } = timings(backup)
  const speed = bytesPerSecond(backup)
  const share = ratio(backup)
  return (
    <Facts>
      {backup.description && <Fact name={t('facts.description')}>{backup.description}</Fact>}
      <Fact name={t(backup.consolidatedFrom ? 'facts.point' : 'facts.created')}>
        <TimeDisplay at={backup.createdAt} />
      </Fact>
      <Fact name={t('facts.by')}>
        {backup.schedule?.name ?? backup.createdByUser?.displayName ?? t('facts.system')}
      </Fact>
      <Fact name={t('facts.config')}>{backup.configKey}</Fact>
      {backup.startedAt && (
        <Fact name={t('facts.started')}>
          <TimeDisplay at={backup.startedAt} />
        </Fact>
      )}
      {backup.completedAt && (
        <Fact name={t('facts.ended')}>
          <TimeDisplay at={backup.completedAt} />
        </Fact>
      )}
      {waited !== null && <Fact name={t('facts.waited')}>{formatDuration(waited)}</Fact>}
      {took !== null && (
        <Fact name={t('facts.took')}>
          {formatDuration(took)}
          {speed !== null && ` (${t('facts.speed', { size: formatSize(speed) })})`}
        </Fact>
      )}
      {backup.attempts > 1 && <Fact name={t('facts.attempts')}>{formatNumber(backup.attempts)}</Fact>}
      <Fact name={t('facts.size')}>
        {formatSize(backup.sizeBytes)}
        {share !== null && ` (${t('facts.ratio', { percent: `${share.toFixed(0)}%` })})`}
      </Fact>
      <Fact name={t('facts.sourceSize')}>{formatSize(backup.sourceBytes)}</Fact>
      <Fact name={t('facts.expires')}>
        {backup.protected || !backup.expiresAt ? t('facts.never') : <TimeDisplay at={backup.expiresAt} />}
      </Fact>
      {backup.storagePath && <Fact name={t('facts.path')}>{backup.storagePath}</Fact>}
      {backup.checksum && (
        <Fact name={t('facts.checksum')}>
          <Copied text={backup.checksum} />
        </Fact>
      )}
    </Facts>
  )
}

function Copied({ text }: { text: string }) {
  const { t } = useTranslation('detail')
  return (
    <Group gap={4} wrap="nowrap" align="flex-start">
      <Code className="wrap-anywhere">{text}</Code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <ActionIcon
            variant="subtle"
            size="sm"
            onClick={copy}
            aria-label={copied ? t('facts.copied') : t('facts.copy')}
          >
            {copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
          </ActionIcon>
        )}
      </CopyButton>
    </Group>
  )
}
