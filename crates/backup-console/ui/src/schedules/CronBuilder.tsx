import { Chip, Group, Input, NativeSelect, SimpleGrid, TextInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { currentLanguage } from '@/i18n/language'
import {
  HOUR_STEPS,
  LAST_DAY,
  MINUTE_STEPS,
  NIGHTLY,
  type Rhythm,
  readCron,
  UNITS,
  WEEKDAYS,
  writeCron,
} from './cron'

interface Props {
  expression: string
  onChange: (expression: string) => void
}

const CUSTOM = 'CUSTOM'

/** Puts an expression together. One that it cannot show is left as it is until something else is chosen. */
export function CronBuilder({ expression, onChange }: Props) {
  const { t } = useTranslation('schedules')
  const rhythm = readCron(expression)
  const change = (changes: Partial<Rhythm>) => onChange(writeCron({ ...(rhythm ?? NIGHTLY), ...changes }))
  return (
    <SimpleGrid cols={2} role="group" aria-label={t('builder.label')}>
      <NativeSelect
        label={t('builder.unit')}
        value={rhythm?.unit ?? CUSTOM}
        data={[
          ...UNITS.map(value => ({ value, label: t(`builder.${value}`) })),
          ...(rhythm ? [] : [{ value: CUSTOM, label: t('builder.custom') }]),
        ]}
        onChange={event => {
          const unit = UNITS.find(each => each === event.currentTarget.value)
          if (unit) change({ unit, every: unit === 'MINUTES' ? 30 : 1 })
        }}
      />
      {rhythm && <Details rhythm={rhythm} onChange={change} />}
    </SimpleGrid>
  )
}

interface DetailsProps {
  rhythm: Rhythm
  onChange: (changes: Partial<Rhythm>) => void
}

function Details({ rhythm, onChange }: DetailsProps) {
  const { t } = useTranslation('schedules')
  switch (rhythm.unit) {
    case 'MINUTES':
      return (
        <NativeSelect
          label={t('builder.everyMinutes')}
          value={rhythm.every}
          data={MINUTE_STEPS.map(String)}
          onChange={event => onChange({ every: Number(event.currentTarget.value) })}
        />
      )
    case 'HOURS':
      return (
        <>
          <NativeSelect
            label={t('builder.everyHours')}
            value={rhythm.every}
            data={HOUR_STEPS.map(String)}
            onChange={event => onChange({ every: Number(event.currentTarget.value) })}
          />
          <NativeSelect
            label={t('builder.minute')}
            value={rhythm.minute}
            data={Array.from({ length: 60 }, (_, minute) => String(minute))}
            onChange={event => onChange({ minute: Number(event.currentTarget.value) })}
          />
        </>
      )
    case 'DAYS':
      return <TimeOfDay rhythm={rhythm} onChange={onChange} />
    case 'WEEKS':
      return (
        <>
          <TimeOfDay rhythm={rhythm} onChange={onChange} />
          <Weekdays rhythm={rhythm} onChange={onChange} />
        </>
      )
    case 'MONTHS':
      return (
        <>
          <TimeOfDay rhythm={rhythm} onChange={onChange} />
          <NativeSelect
            label={t('builder.day')}
            value={rhythm.day}
            data={[
              ...Array.from({ length: 31 }, (_, index) => ({
                value: String(index + 1),
                label: t('builder.dayOf', { day: index + 1 }),
              })),
              { value: LAST_DAY, label: t('builder.lastDay') },
            ]}
            onChange={({ currentTarget: { value } }) =>
              onChange({ day: value === LAST_DAY ? LAST_DAY : Number(value) })
            }
          />
        </>
      )
  }
}

function TimeOfDay({ rhythm, onChange }: DetailsProps) {
  const { t } = useTranslation('schedules')
  const two = (number: number) => String(number).padStart(2, '0')
  return (
    <TextInput
      type="time"
      label={t('builder.at')}
      value={`${two(rhythm.hour)}:${two(rhythm.minute)}`}
      onChange={event => {
        const [hour, minute] = event.currentTarget.value.split(':').map(Number)
        // Empty while somebody types.
        if (hour !== undefined && minute !== undefined) onChange({ hour, minute })
      }}
    />
  )
}

/** A Sunday, to name the days of the week from. */
const SUNDAY = Date.UTC(2026, 0, 4)

function Weekdays({ rhythm, onChange }: DetailsProps) {
  const { t } = useTranslation('schedules')
  const name = new Intl.DateTimeFormat(currentLanguage(), { weekday: 'short', timeZone: 'UTC' })
  const choose = (days: string[]) => {
    // A week without a day would never come.
    if (days.length > 0) onChange({ weekdays: days.map(Number) })
  }
  return (
    <Input.Wrapper label={t('builder.weekdays')} labelElement="div" style={{ gridColumn: '1 / -1' }}>
      <Chip.Group multiple value={rhythm.weekdays.map(String)} onChange={choose}>
        <Group gap={6}>
          {WEEKDAYS.map(day => (
            <Chip key={day} value={String(day)} size="xs">
              {name.format(SUNDAY + day * 86_400_000)}
            </Chip>
          ))}
        </Group>
      </Chip.Group>
    </Input.Wrapper>
  )
}
