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

/** The axis of time; over so many days. */
export function timeAxis(days: number) {
  const format = new Intl.DateTimeFormat(currentLanguage(), {
    month: 'numeric',
    ...(days > 90 ? { year: '2-digit' } : { day: 'numeric' }),
  })
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
