import { Card, Checkbox, MultiSelect, Radio, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { formatNumber, formatSize } from '@/i18n/format'
import { ConfigName } from '@/ui/ConfigName'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { isSelective, restoresAnything } from './draft'
import { PathPicker } from './PathPicker'
import type { StepProps } from './step'
import { WizardButtons } from './WizardButtons'

/** Chooses the parts of the backup, and of database and files, where not all is wanted, which tables and paths. */
export function ScopeStep({ backup, contents, draft, onChange, onGo }: StepProps) {
  const { t } = useTranslation(['restore', 'common'])
  const { database, files, config } = contents
  const [onlyTables, setOnlyTables] = useState(draft.tables.length > 0)
  const [onlyPaths, setOnlyPaths] = useState(draft.paths.length > 0)
  const isUnfinished =
    (draft.restoreDatabase && onlyTables && draft.tables.length === 0) ||
    (draft.restoreFiles && onlyPaths && draft.paths.length === 0)
  const next = () => {
    if (isSelective(draft)) onChange({ mode: 'NEW' })
    onGo('target')
  }
  return (
    <Stack>
      <Text className="wrap-anywhere">
        {t('scope.about')} <b>{backup.name}</b> (<TimeDisplay at={backup.createdAt} />)
      </Text>
      <ConfigName of={backup.configKey} size="sm" />
      {database && (
        <Card withBorder padding="md">
          <Checkbox
            label={t('common:source.DATABASE')}
            description={t('scope.database', {
              tables: formatNumber(database.tables.length),
              size: formatSize(database.sizeBytes),
            })}
            checked={draft.restoreDatabase}
            onChange={event => onChange({ restoreDatabase: event.currentTarget.checked })}
          />
          {draft.restoreDatabase && database.tables.length > 0 && (
            <Stack gap="xs" mt="sm" ml={{ base: 0, xs: 'xl' }}>
              <Choice
                label={t('scope.howMuchDatabase')}
                all={t('scope.allTables')}
                some={t('scope.someTables')}
                value={onlyTables}
                onChange={only => {
                  setOnlyTables(only)
                  if (!only) onChange({ tables: [] })
                }}
              />
              {onlyTables && (
                <MultiSelect
                  label={t('scope.tables')}
                  data={database.tables}
                  value={draft.tables}
                  onChange={tables => onChange({ tables })}
                  searchable
                  clearable
                  limit={100}
                  nothingFoundMessage={t('scope.noTable')}
                  clearButtonProps={{ 'aria-label': t('scope.clear') }}
                />
              )}
            </Stack>
          )}
        </Card>
      )}
      {files && (
        <Card withBorder padding="md">
          <Checkbox
            label={t('common:source.FILES')}
            description={t('scope.files', {
              files: formatNumber(files.fileCount),
              size: formatSize(files.sizeBytes),
            })}
            checked={draft.restoreFiles}
            onChange={event => onChange({ restoreFiles: event.currentTarget.checked })}
          />
          {draft.restoreFiles && files.entryCount > 0 && (
            <Stack gap="xs" mt="sm" ml={{ base: 0, xs: 'xl' }}>
              <Choice
                label={t('scope.howManyFiles')}
                all={t('scope.allFiles')}
                some={t('scope.someFiles')}
                value={onlyPaths}
                onChange={only => {
                  setOnlyPaths(only)
                  if (!only) onChange({ paths: [] })
                }}
              />
              {onlyPaths && (
                <PathPicker
                  backupId={backup.id}
                  chosen={draft.paths}
                  onChange={paths => onChange({ paths })}
                />
              )}
            </Stack>
          )}
        </Card>
      )}
      {config && (
        <Card withBorder padding="md">
          <Checkbox
            label={t('common:source.CONFIG')}
            description={t('scope.config')}
            checked={draft.restoreConfig}
            onChange={event => onChange({ restoreConfig: event.currentTarget.checked })}
          />
        </Card>
      )}
      {isSelective(draft) && <Text size="sm">{t('scope.selective')}</Text>}
      <WizardButtons
        onBack={() => onGo('point')}
        onNext={next}
        canGoOn={restoresAnything(draft) && !isUnfinished}
      />
    </Stack>
  )
}

interface ChoiceProps {
  label: string
  all: string
  some: string
  value: boolean
  onChange: (only: boolean) => void
}

function Choice({ label, all, some, value, onChange }: ChoiceProps) {
  return (
    <Radio.Group
      value={value ? 'some' : 'all'}
      onChange={chosen => onChange(chosen === 'some')}
      aria-label={label}
    >
      <Stack gap="xs">
        <Radio value="all" label={all} />
        <Radio value="some" label={some} />
      </Stack>
    </Radio.Group>
  )
}
