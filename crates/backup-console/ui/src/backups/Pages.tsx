import { Group, NativeSelect, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { BackupList } from '@/api/schema'
import { formatNumber } from '@/i18n/format'
import { PageLinks } from '@/ui/PageLinks'
import { type BackupSearch, PAGE_SIZES } from './search'

interface Props {
  list: BackupList
  search: BackupSearch
  onChange: (changes: Partial<BackupSearch>) => void
}

export function Pages({ list, search, onChange }: Props) {
  const { t } = useTranslation('backups')
  const size = search.size ?? PAGE_SIZES[0]
  return (
    <Group justify="space-between">
      <NativeSelect
        label={t('list.perPage')}
        value={size}
        data={PAGE_SIZES.map(String)}
        onChange={event => {
          const wanted = PAGE_SIZES.find(each => String(each) === event.currentTarget.value)
          onChange({ size: wanted === PAGE_SIZES[0] ? undefined : wanted })
        }}
      />
      {!list.totalIsExact && <Text size="sm">{t('list.narrow', { total: formatNumber(list.total) })}</Text>}
      <PageLinks total={list.total} size={size} page={search.page} onChange={page => onChange({ page })} />
    </Group>
  )
}
