import { describe, expect, it } from 'vitest'
import { HOUR_STEPS, LAST_DAY, MINUTE_STEPS, NIGHTLY, type Rhythm, readCron, writeCron } from './cron'

describe('the cron builder', () => {
  const rhythms: Rhythm[] = [
    ...MINUTE_STEPS.map(every => ({ ...NIGHTLY, unit: 'MINUTES' as const, every })),
    ...HOUR_STEPS.map(every => ({ ...NIGHTLY, unit: 'HOURS' as const, every, minute: 59 })),
    NIGHTLY,
    { ...NIGHTLY, hour: 23, minute: 5 },
    { ...NIGHTLY, unit: 'WEEKS', weekdays: [0] },
    { ...NIGHTLY, unit: 'WEEKS', weekdays: [1, 2, 3, 4, 5], hour: 0 },
    { ...NIGHTLY, unit: 'WEEKS', weekdays: [0, 3, 6], minute: 30 },
    { ...NIGHTLY, unit: 'MONTHS', day: 31 },
    { ...NIGHTLY, unit: 'MONTHS', day: LAST_DAY },
  ]

  it.each(rhythms.map(rhythm => [writeCron(rhythm), rhythm]))(
    'reads %s as it was put together',
    (text, it) => {
      expect(readCron(text as string)).toEqual(it)
    },
  )

  it.each(['0 2 * * *', '0 3 * * *', '0 3 * * 0', '0 3 * * 6', '0 2 1 * *', '0 * * * *'])(
    'shows the preset %s, and gives it back unchanged',
    preset => {
      const rhythm = readCron(preset)
      expect(rhythm).not.toBeNull()
      expect(writeCron(rhythm as Rhythm)).toBe(preset)
    },
  )

  it('understands other ways to write the same', () => {
    const again = (text: string) => writeCron(readCron(text) as Rhythm)
    expect(again(' 00  02 * *  7 ')).toBe('0 2 * * 0')
    expect(again('0 2 * * 1,2,3,4,5')).toBe('0 2 * * 1-5')
    expect(again('0 2 * * 5-7,1')).toBe('0 2 * * 0,1,5,6')
  })

  it.each([
    '',
    '@daily',
    '* * * * *',
    '*/7 * * * *',
    '*/15 8-18 * * *',
    '0,30 2 * * *',
    '0 */5 * * *',
    '0 24 * * *',
    '60 2 * * *',
    '0 2 1 * 1',
    '0 2 1,15 * *',
    '0 2 0 * *',
    '0 2 * 1 *',
    '0 2 * * 5L',
    '0 2 * * 5-1',
    '0 2 * * MON',
    '0 2 * * * *',
  ])('leaves %j as it is typed', text => {
    expect(readCron(text)).toBeNull()
  })
})
