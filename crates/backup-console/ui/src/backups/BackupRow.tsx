import { Group, Table, Text, Tooltip } from '@mantine/core'
import { IconGitBranch, IconLock, IconStack2 } from '@tabler/icons-react'
import { memo } from 'react'
import { useTranslation } from 'react-i18next'
import type { Backup } from '@/api/schema'
import { formatSize } from '@/i18n/format'
import { SourceBadge, StatusBadge, TriggerBadge, TypeBadge } from '@/ui/badges'
import { ConfigName } from '@/ui/ConfigName'
import { AnchorLink } from '@/ui/links'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { BackupActions } from './BackupActions'
import { VerifyState } from './VerifyState'

/** One backup of the list. Memorised: of a page of rows an event draws one anew, and of a running one its status alone. */
export const BackupRow = memo(function BackupRow({ backup }: Props) {
  const { t } = useTranslation('backups')
  return (
    <Table.Tr data-backup={backup.id}>
      <NameCells backup={backup} />
      <Table.Td data-label={t('field.status')} maw={240}>
        <StatusBadge job={backup} label={backup.name} />
      </Table.Td>
      <OtherCells backup={backup} />
    </Table.Tr>
  )
})

interface Props {
  backup: Backup
}

/** Whether nothing has changed but how far the backup is, which it says every second. */
function hasOnlyGoneOn({ backup: before }: Props, { backup: now }: Props): boolean {
  const names = Object.keys(now) as (keyof Backup)[]
  return names.every(name => name === 'progress' || name === 'currentStep' || before[name] === now[name])
}

const NameCells = memo(function NameCells({ backup }: Props) {
  const { t } = useTranslation('backups')
  return (
    <>
      <Table.Td maw={320}>
        <BackupName backup={backup} />
      </Table.Td>
      <Table.Td data-label={t('field.type')}>
        <TypeBadge type={backup.type} />
      </Table.Td>
      <Table.Td data-label={t('field.source')}>
        <SourceBadge source={backup.source} />
      </Table.Td>
    </>
  )
}, hasOnlyGoneOn)

const OtherCells = memo(function OtherCells({ backup }: Props) {
  const { t } = useTranslation('backups')
  return (
    <>
      <Table.Td data-label={t('field.size')} style={{ whiteSpace: 'nowrap' }}>
        {formatSize(backup.sizeBytes)}
      </Table.Td>
      <Table.Td data-label={t('field.created')}>
        <TimeDisplay at={backup.createdAt} />
      </Table.Td>
      <Table.Td data-label={t('field.completed')}>
        {backup.completedAt ? <TimeDisplay at={backup.completedAt} /> : '-'}
      </Table.Td>
      <Table.Td data-label={t('field.verified')} maw={200}>
        {backup.status === 'COMPLETED' ? <VerifyState backup={backup} /> : '-'}
      </Table.Td>
      <Table.Td data-end>
        <BackupActions backup={backup} />
      </Table.Td>
    </>
  )
}, hasOnlyGoneOn)

function BackupName({ backup }: Props) {
  const { t } = useTranslation('backups')
  return (
    <>
      <Group gap={6} wrap="nowrap">
        <AnchorLink
          to="/backups/$backupId"
          params={{ backupId: backup.id }}
          size="sm"
          fw={500}
          className="wrap-anywhere"
        >
          {backup.name}
        </AnchorLink>
        {backup.protected && <Mark Icon={IconLock} label={t('row.protected')} />}
        {backup.baseId && <Mark Icon={IconGitBranch} label={t('row.dependent')} />}
        {backup.consolidatedFrom && <Mark Icon={IconStack2} label={t('row.consolidated')} />}
      </Group>
      {backup.description && (
        <Text size="xs" className="wrap-anywhere" lineClamp={2}>
          {backup.description}
        </Text>
      )}
      <Group gap={6}>
        <TriggerBadge trigger={backup.trigger} />
        <ConfigName of={backup.configKey} />
        {backup.schedule && (
          <Text size="xs" className="wrap-anywhere">
            {backup.schedule.name}
          </Text>
        )}
        {backup.warnings.length > 0 && (
          <Text size="xs">{t('row.warnings', { count: backup.warnings.length })}</Text>
        )}
        {backup.deleting && <Text size="xs">{t('row.deleting')}</Text>}
      </Group>
    </>
  )
}

function Mark({ Icon, label }: { Icon: typeof IconLock; label: string }) {
  return (
    <Tooltip label={label}>
      <Icon size={16} role="img" aria-label={label} style={{ flexShrink: 0 }} />
    </Tooltip>
  )
}
