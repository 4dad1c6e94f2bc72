import { List, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Backup, BackupDetails } from '@/api/schema'
import { AnchorLink } from '@/ui/links'
import { TimeDisplay } from '@/ui/TimeDisplay'

/** What a backup needs to be restored, and what needs it and so keeps it. */
export function Chain({ backup }: { backup: BackupDetails }) {
  const { t } = useTranslation('detail')
  const { bases, baseId, consolidatedFrom, dependents } = backup
  return (
    <Stack gap="sm">
      {baseId ? (
        <div>
          <Text size="sm">{t('chain.needs', { count: bases.length })}</Text>
          {bases[0] ? (
            <List size="sm">
              {bases.map(other => (
                <Member key={other.id} backup={other} />
              ))}
            </List>
          ) : (
            <Text size="sm" className="wrap-anywhere">
              {baseId}
            </Text>
          )}
        </div>
      ) : (
        <Text size="sm">{t('chain.alone')}</Text>
      )}
      {consolidatedFrom && (
        <div>
          <Text size="sm">{t('chain.madeOf')}</Text>
          <List size="sm">
            <List.Item className="wrap-anywhere">
              <AnchorLink
                to="/backups/$backupId"
                params={{ backupId: consolidatedFrom }}
                size="sm"
                underline="always"
              >
                {consolidatedFrom}
              </AnchorLink>
            </List.Item>
          </List>
        </div>
      )}
      {dependents[0] && (
        <div>
          <Text size="sm" fw={500} className="wrap-anywhere">
            {dependents.length === 1
              ? t('chain.keptBy', { name: dependents[0].name })
              : t('chain.keptByMany', { count: dependents.length })}
          </Text>
          <List size="sm">
            {dependents.map(other => (
              <Member key={other.id} backup={other} />
            ))}
          </List>
        </div>
      )}
    </Stack>
  )
}

function Member({ backup }: { backup: Backup }) {
  const { t } = useTranslation()
  return (
    <List.Item className="wrap-anywhere">
      <AnchorLink to="/backups/$backupId" params={{ backupId: backup.id }} size="sm" underline="always">
        {backup.name}
      </AnchorLink>{' '}
      ({t(`type.${backup.type}`)}, <TimeDisplay at={backup.createdAt} />)
    </List.Item>
  )
}
