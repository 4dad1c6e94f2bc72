import { Anchor, Box, Button, Checkbox, Group, List, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Entry } from '@/api/schema'
import { FolderTable } from '@/archive/FolderTable'
import { PathTrail } from '@/archive/PathTrail'
import { coveredBy, FILES, selectable, toggle } from '@/archive/path'

interface Props {
  backupId: string
  /** Paths as a restore wants them. */
  chosen: string[]
  onChange: (chosen: string[]) => void
}

/** Chooses files and folders out of a backup. */
export function PathPicker({ backupId, chosen, onChange }: Props) {
  const { t } = useTranslation('restore')
  const [path, setPath] = useState(FILES.slice(0, -1))
  const open = (to: string, name: string) => (
    <Anchor
      component="button"
      type="button"
      size="sm"
      underline="always"
      ta="left"
      className="wrap-anywhere"
      onClick={() => setPath(to || FILES.slice(0, -1))}
    >
      {name}
    </Anchor>
  )
  const name = (entry: Entry) => {
    const inner = selectable(entry.path)
    return (
      <Group gap={6} wrap="nowrap" align="flex-start">
        <Checkbox
          size="xs"
          mt={2}
          aria-label={t('picker.choose', { name: entry.name })}
          disabled={inner === null || coveredBy(chosen, inner) !== undefined}
          checked={inner !== null && (chosen.includes(inner) || coveredBy(chosen, inner) !== undefined)}
          onChange={() => inner !== null && onChange(toggle(chosen, inner))}
        />
        <div style={{ minWidth: 0 }}>
          {entry.kind === 'DIRECTORY' ? (
            open(entry.path, entry.name)
          ) : (
            <Text size="sm" className="wrap-anywhere">
              {entry.name}
            </Text>
          )}
          {inner === null && <Text size="xs">{t('picker.odd')}</Text>}
        </div>
      </Group>
    )
  }
  return (
    <Stack gap="xs">
      <PathTrail path={path} link={open} />
      <Box mah={360} style={{ overflowY: 'auto' }}>
        <FolderTable key={path} backupId={backupId} path={path} name={name} />
      </Box>
      <div aria-live="polite">
        <Text size="sm" fw={500}>
          {t('picker.chosen', { count: chosen.length })}
        </Text>
      </div>
      {chosen.length > 0 && (
        <List size="sm" listStyleType="none">
          {chosen.map(each => (
            <List.Item key={each}>
              <Group gap="xs" wrap="nowrap">
                <Text size="sm" className="wrap-anywhere">
                  {each}
                </Text>
                <Button
                  size="compact-xs"
                  variant="subtle"
                  onClick={() => onChange(toggle(chosen, each))}
                  aria-label={t('picker.removeOne', { name: each })}
                >
                  {t('picker.remove')}
                </Button>
              </Group>
            </List.Item>
          ))}
        </List>
      )}
    </Stack>
  )
}
