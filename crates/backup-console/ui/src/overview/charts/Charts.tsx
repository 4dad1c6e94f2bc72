import { NativeSelect, SimpleGrid, Stack } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Boundary } from '@/ui/Boundary'
import { DurationChart } from './DurationChart'
import { GrowthChart } from './GrowthChart'

/** Days that can be looked back. */
const SPANS = [30, 90, 365] as const

/** How the storage fills, and how long backups take. */
export default function Charts() {
  const { t } = useTranslation('charts')
  const [days, setDays] = useState<number>(SPANS[0])
  return (
    <Stack>
      <NativeSelect
        label={t('span.label')}
        value={days}
        data={SPANS.map(span => ({ value: String(span), label: t('span.days', { count: span }) }))}
        onChange={event => setDays(Number(event.currentTarget.value))}
        maw={200}
      />
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Boundary>
          <GrowthChart days={days} />
        </Boundary>
        <Boundary>
          <DurationChart days={days} />
        </Boundary>
      </SimpleGrid>
    </Stack>
  )
}
