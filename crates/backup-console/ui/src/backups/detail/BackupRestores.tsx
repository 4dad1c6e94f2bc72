import { Box, Group, Stack, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Restore } from '@/api/schema'
import { formatTime } from '@/i18n/format'
import { StatusBadge } from '@/ui/badges'
import { AnchorLink } from '@/ui/links'

/** The newest restores of a backup. */
export function BackupRestores({ restores }: { restores: Restore[] }) {
  const { t } = useTranslation(['detail', 'restore'])
  if (restores.length === 0) return <Text size="sm">{t('restores.none')}</Text>
  return (
    <Stack gap="sm">
      {restores.map(restore => {
        const name = `${t(`restore:action.${restore.action}`)}, ${formatTime(restore.createdAt)}`
        return (
          <Group key={restore.id} justify="space-between">
            <AnchorLink
              to="/restores/$restoreId"
              params={{ restoreId: restore.id }}
              size="sm"
              underline="always"
            >
              {name}
            </AnchorLink>
            <Box maw={480}>
              <StatusBadge job={restore} label={name} />
            </Box>
          </Group>
        )
      })}
    </Stack>
  )
}
