import { currentLanguage } from '@/i18n/language'

// How charts look, in either theme: Mantine's variables change with it.

export const COLORS = {
  lines: [
    'light-dark(var(--mantine-color-blue-7), var(--mantine-color-blue-4))',
    'light-dark(var(--mantine-color-orange-8), var(--mantine-color-orange-4))',
    'light-dark(var(--mantine-color-teal-8), var(--mantine-color-teal-4))',
    'light-dark(var(--mantine-color-grape-7), var(--mantine-color-grape-4))',
  ],
  grid: 'var(--mantine-color-default-border)',
  limit: 'light-dark(var(--mantine-color-red-8), var(--mantine-color-red-5))',
}

export const axis = {
  stroke: 'var(--mantine-color-text)',
  tick: { fill: 'var(--mantine-color-text)', fontSize: 12 },
  tickLine: false,
} as const

const DAY = 86_400_000

/** The axis of time, in words that tell these points apart. */
export function timeAxis(points: { at: number }[]) {
  const days = ((points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0)) / DAY
  const format = new Intl.DateTimeFormat(
    currentLanguage(),
    days > 90
      ? { year: '2-digit', month: 'numeric' }
      : days > 2
        ? { month: 'numeric', day: 'numeric' }
        : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  )
  return {
    ...axis,
    type: 'number',
    scale: 'time',
    domain: ['dataMin', 'dataMax'],
    tickFormatter: (at: number) => format.format(at),
    minTickGap: 32,
  } as const
}

export const tooltip = {
  contentStyle: {
    background: 'var(--mantine-color-body)',
    border: '1px solid var(--mantine-color-default-border)',
    color: 'var(--mantine-color-text)',
    fontSize: 12,
  },
  itemStyle: { color: 'var(--mantine-color-text)' },
  isAnimationActive: false,
}
