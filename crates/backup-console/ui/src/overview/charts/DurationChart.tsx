import { Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { CartesianGrid, Legend, Line, LineChart, Tooltip, XAxis, YAxis } from 'recharts'
import { $api } from '@/api/client'
import { timings } from '@/backups/detail/timings'
import { SOURCES } from '@/backups/search'
import { formatDuration, formatTime } from '@/i18n/format'
import { useNow } from '@/ui/useNow'
import { dayAfter, dayIn } from '../strip/days'
import { Figure } from './Figure'
import { axis, COLORS, timeAxis, tooltip } from './looks'

/** Backups that are drawn at the most, the newest. */
const SHOWN = 200

/** Seconds, so that the axis has no marks in between, which would be called the same. */
function seconds(took: number | null): number | null {
  return took === null ? null : took / 1000
}

function inWords(value: number): string {
  return formatDuration(value * 1000)
}

/** How long good backups took, by what they save. */
export function DurationChart({ days }: { days: number }) {
  const { t } = useTranslation(['charts', 'common'])
  const dateFrom = dayAfter(dayIn('UTC', useNow()), -days)
  const query = { status: 'COMPLETED' as const, dateFrom, limit: SHOWN }
  const page = $api.useSuspenseQuery('get', '/api/admin/backup', { params: { query } }).data
  // What is made of another reads nothing that is backed up.
  const backups = page.backups.filter(backup => !backup.consolidatedFrom)
  const points = backups
    .map(backup => ({ at: Date.parse(backup.createdAt), [backup.source]: seconds(timings(backup).took) }))
    .reverse()
  const sources = SOURCES.filter(source => backups.some(backup => backup.source === source))
  const newest = backups[0]
  const took = newest && timings(newest).took
  const summary = took == null ? t('duration.none') : t('duration.last', { time: formatDuration(took) })
  return (
    <Figure title={t('duration.title')} summary={summary} isEmpty={points.length < 2}>
      <LineChart responsive data={points} accessibilityLayer={false} style={{ width: '100%', height: 240 }}>
        <CartesianGrid stroke={COLORS.grid} vertical={false} />
        <XAxis dataKey="at" {...timeAxis(points)} />
        <YAxis {...axis} tickFormatter={inWords} width={64} domain={[0, 'auto']} allowDecimals={false} />
        <Tooltip
          {...tooltip}
          labelFormatter={at => formatTime(new Date(Number(at)).toISOString())}
          formatter={value => inWords(Number(value))}
        />
        <Legend wrapperStyle={{ fontSize: 12 }} />
        {sources.map((source, index) => (
          <Line
            key={source}
            dataKey={source}
            name={t(`common:source.${source}`)}
            stroke={COLORS.lines[index]}
            strokeWidth={2}
            dot={{ r: 2 }}
            connectNulls
            isAnimationActive={false}
          />
        ))}
      </LineChart>
      {page.total > SHOWN && <Text size="xs">{t('duration.newest', { count: SHOWN })}</Text>}
    </Figure>
  )
}
