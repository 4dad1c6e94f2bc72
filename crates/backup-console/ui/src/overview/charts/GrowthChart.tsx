import { Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { Area, AreaChart, CartesianGrid, ReferenceLine, Tooltip, XAxis, YAxis } from 'recharts'
import { $api } from '@/api/client'
import { formatSize, formatTime } from '@/i18n/format'
import { useNow } from '@/ui/useNow'
import { dayAfter, dayIn } from '../strip/days'
import { Figure } from './Figure'
import { forecast } from './forecast'
import { axis, COLORS, timeAxis, tooltip } from './looks'

/** A quota is drawn where the usage comes near it; else the usage would be a line on the ground. */
const NEAR = 0.2

/** How much the backups have taken up, and when the quota is used up at that. */
export function GrowthChart({ days }: { days: number }) {
  const { t } = useTranslation('charts')
  const from = dayAfter(dayIn('UTC', useNow()), -days)
  const { samples } = $api.useSuspenseQuery('get', '/api/admin/backup/usage', {
    params: { query: { from } },
  }).data
  const points = samples.map(sample => ({ at: Date.parse(sample.recordedAt), size: sample.totalSizeBytes }))
  const last = samples.at(-1)
  const quota = last?.quotaBytes
  const summary = useForecast(samples)
  const isNear = quota != null && (last?.totalSizeBytes ?? 0) > quota * NEAR
  return (
    <Figure title={t('growth.title')} summary={summary} isEmpty={points.length < 2}>
      <AreaChart responsive data={points} accessibilityLayer={false} style={{ width: '100%', height: 240 }}>
        <CartesianGrid stroke={COLORS.grid} vertical={false} />
        <XAxis dataKey="at" {...timeAxis(points)} />
        <YAxis
          {...axis}
          tickFormatter={formatSize}
          width={76}
          domain={isNear ? [0, (max: number) => Math.max(max, quota)] : [0, 'auto']}
        />
        <Tooltip
          {...tooltip}
          labelFormatter={at => formatTime(new Date(Number(at)).toISOString())}
          formatter={value => [formatSize(Number(value)), t('growth.size')]}
        />
        <Area
          dataKey="size"
          type="stepAfter"
          stroke={COLORS.lines[0]}
          fill={COLORS.lines[0]}
          fillOpacity={0.2}
          isAnimationActive={false}
        />
        {isNear && <ReferenceLine y={quota} stroke={COLORS.limit} strokeDasharray="4 4" />}
      </AreaChart>
      {isNear && <Text size="xs">{t('growth.quota', { size: formatSize(quota) })}</Text>}
    </Figure>
  )
}

function useForecast(samples: Parameters<typeof forecast>[0]): string {
  const { t, i18n } = useTranslation('charts')
  const seen = forecast(samples)
  const size = (perDay: number) => formatSize(Math.max(0, Math.round(perDay)))
  switch (seen.kind) {
    case 'fullAt':
      return t('growth.fullAt', {
        date: new Intl.DateTimeFormat(i18n.language, { dateStyle: 'long' }).format(seen.at),
        size: size(seen.perDay),
      })
    case 'unlimited':
      return seen.perDay === null
        ? t('growth.unlimited')
        : t('growth.unlimitedGrowing', { size: size(seen.perDay) })
    default:
      return t(`growth.${seen.kind}`)
  }
}
