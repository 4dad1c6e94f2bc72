import { Button, Group, NativeSelect, Radio, Stack, Text, TextInput } from '@mantine/core'
import { keepPreviousData } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Backup, BackupSource } from '@/api/schema'
import { SOURCES } from '@/backups/search'
import { VerifyState } from '@/backups/VerifyState'
import { formatSize } from '@/i18n/format'
import { SourceBadge, TriggerBadge, TypeBadge } from '@/ui/badges'
import { ConfigName, useConfigKeys } from '@/ui/ConfigName'
import { FailureNotice } from '@/ui/FailureNotice'
import { Loading } from '@/ui/Loading'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { WizardButtons } from './WizardButtons'

/** Points that are shown at once. */
const PAGE = 10

/** Chooses the point in time that is gone back to. */
export function PointStep({ onChoose }: { onChoose: (backupId: string) => void }) {
  const { t } = useTranslation(['restore', 'common'])
  const [chosen, setChosen] = useState<string | null>(null)
  const [source, setSource] = useState<BackupSource | ''>('')
  const [until, setUntil] = useState('')
  const [page, setPage] = useState(0)
  const moment = until && !Number.isNaN(Date.parse(until)) ? new Date(until).toISOString() : undefined
  const query = {
    status: 'COMPLETED' as const,
    limit: PAGE,
    offset: page * PAGE,
    ...(source && { source }),
    ...(moment && { dateTo: moment }),
  }
  const list = $api.useQuery(
    'get',
    '/api/admin/backup',
    { params: { query } },
    { placeholderData: keepPreviousData },
  )
  const backups = list.data?.backups.filter(backup => !backup.deleting) ?? []
  const total = list.data?.total ?? 0
  return (
    <Stack>
      <Text>{t('point.about')}</Text>
      <Group align="flex-end" gap="sm">
        <TextInput
          type="datetime-local"
          label={t('point.until')}
          value={until}
          onChange={event => {
            setUntil(event.currentTarget.value)
            setPage(0)
          }}
        />
        <NativeSelect
          label={t('point.source')}
          value={source}
          data={[
            { value: '', label: t('point.all') },
            ...SOURCES.map(value => ({ value, label: t(`common:source.${value}`) })),
          ]}
          onChange={event => {
            setSource(event.currentTarget.value as BackupSource | '')
            setPage(0)
          }}
        />
      </Group>
      <FailureNotice error={list.error} onRetry={() => list.refetch()} />
      {list.isPending && <Loading />}
      {list.data && backups.length === 0 && <Text size="sm">{t('point.none')}</Text>}
      {backups.length > 0 && (
        <Radio.Group value={chosen} onChange={setChosen} label={t('point.label')}>
          <Stack gap="xs" mt="xs">
            {backups.map(backup => (
              <Point key={backup.id} backup={backup} />
            ))}
          </Stack>
        </Radio.Group>
      )}
      {total > PAGE && (
        <Group>
          <Button size="xs" variant="default" disabled={page === 0} onClick={() => setPage(page - 1)}>
            {t('point.newer')}
          </Button>
          <Button
            size="xs"
            variant="default"
            disabled={(page + 1) * PAGE >= total}
            onClick={() => setPage(page + 1)}
          >
            {t('point.older')}
          </Button>
        </Group>
      )}
      <WizardButtons onNext={() => chosen && onChoose(chosen)} canGoOn={chosen !== null} />
    </Stack>
  )
}

function Point({ backup }: { backup: Backup }) {
  const areSeveral = useConfigKeys().length > 0
  const label = areSeveral ? `${backup.name} (${backup.configKey})` : backup.name
  return (
    <Radio.Card value={backup.id} p="sm" aria-label={label}>
      <Group wrap="nowrap" align="flex-start">
        <Radio.Indicator />
        <Stack gap={4} miw={0}>
          <Text fw={600}>
            <TimeDisplay at={backup.createdAt} /> (<TimeDisplay at={backup.createdAt} distance />)
          </Text>
          <Text size="sm" className="wrap-anywhere">
            {backup.name} · {formatSize(backup.sizeBytes)}
          </Text>
          <Group gap={6}>
            <TypeBadge type={backup.type} />
            <SourceBadge source={backup.source} />
            <TriggerBadge trigger={backup.trigger} />
            <ConfigName of={backup.configKey} />
          </Group>
          <VerifyState backup={backup} />
        </Stack>
      </Group>
    </Radio.Card>
  )
}
