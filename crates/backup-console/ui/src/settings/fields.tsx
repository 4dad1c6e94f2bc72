import {
  Button,
  Group,
  NativeSelect,
  NumberInput,
  PasswordInput,
  Switch,
  TagsInput,
  Text,
  TextInput,
} from '@mantine/core'
import type { ReactNode } from 'react'
import { Controller } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { useCan } from '@/session/me'
import { useSettings } from './ConfigSection'
import { type ConfigValues, type Field, isOverridden, type Secret } from './config'

type Named<Type> = { [Name in Field]: ConfigValues[Name] extends Type ? Name : never }[Field]

/** What every setting has: its label, what is to be known of it, what is wrong with it, and whether it is set here. */
function useSetting(name: Field) {
  const { t } = useTranslation('settings')
  const can = useCan()
  const settings = useSettings()
  const { form, config } = settings
  return {
    ...settings,
    canChange: can('ADMIN'),
    label: t(`field.${name}`),
    error: form.formState.errors[name]?.message,
    isOverridden: isOverridden(config, name),
  }
}

/** A setting as who may only look sees it. */
function Shown({ name, children }: { name: Field; children: ReactNode }) {
  const { label } = useSetting(name)
  return (
    <div>
      <Text size="xs" fw={700}>
        {label}
      </Text>
      <Text size="sm" className="wrap-anywhere">
        {children === '' || children === null || children === undefined ? '-' : children}
      </Text>
    </div>
  )
}

/** Below a setting that is said here: the way back to what the environment says. */
function WayBack({ name }: { name: Field }) {
  const { t } = useTranslation('settings')
  const { isOverridden: isSaidHere, label, clear, save } = useSetting(name)
  if (!isSaidHere) return null
  return (
    <Group gap="xs" mt={4}>
      <Text size="xs">{t('override.here')}</Text>
      <Button
        size="compact-xs"
        variant="default"
        disabled={save.isPending}
        aria-label={t('override.clearField', { field: label })}
        onClick={() => clear(name)}
      >
        {t('override.clear')}
      </Button>
    </Group>
  )
}

interface TextProps {
  name: Exclude<Named<string>, Secret | 'compressionAlgorithm' | 'notificationLanguage' | 'quotaPolicy'>
  description?: string
  placeholder?: string
}

export function TextSetting({ name, ...rest }: TextProps) {
  const { canChange, label, error, form, config } = useSetting(name)
  if (!canChange) return <Shown name={name}>{config[name]}</Shown>
  return (
    <div>
      <TextInput label={label} error={error} autoComplete="off" {...rest} {...form.register(name)} />
      <WayBack name={name} />
    </div>
  )
}

export function SecretSetting({ name, description }: { name: Secret; description?: string }) {
  const { t } = useTranslation('settings')
  const { canChange, label, error, form, config } = useSetting(name)
  const isSet = Boolean(config[name])
  if (!canChange) return <Shown name={name}>{isSet ? t('secret.set') : t('secret.none')}</Shown>
  return (
    <div>
      <PasswordInput
        label={label}
        description={description}
        error={error}
        placeholder={isSet ? '***' : ''}
        autoComplete="new-password"
        {...form.register(name)}
      />
      <Text size="xs" mt={4}>
        {isSet ? t('secret.keep') : t('secret.none')}
      </Text>
      <WayBack name={name} />
    </div>
  )
}

interface NumberProps {
  name: 'databasePort' | 'quotaGigabytes' | 'verifyWithinDays' | 'maxConcurrentJobs'
  description?: string
  suffix?: string
}

export function NumberSetting({ name, ...rest }: NumberProps) {
  const { canChange, label, error, form, config } = useSetting(name)
  if (!canChange) return <Shown name={name}>{config[name]}</Shown>
  return (
    <div>
      <Controller
        control={form.control}
        name={name}
        render={({ field }) => (
          <NumberInput
            {...field}
            label={label}
            error={error}
            min={1}
            allowDecimal={false}
            clampBehavior="none"
            {...rest}
          />
        )}
      />
      <WayBack name={name} />
    </div>
  )
}

export function SwitchSetting({ name, description }: { name: Named<boolean>; description?: string }) {
  const { t } = useTranslation('settings')
  const { canChange, label, error, form, config } = useSetting(name)
  if (!canChange) return <Shown name={name}>{config[name] ? t('on') : t('off')}</Shown>
  return (
    <Controller
      control={form.control}
      name={name}
      render={({ field: { value, ...field } }) => (
        <Switch
          {...field}
          checked={value}
          label={label}
          description={description}
          error={error}
          withThumbIndicator={false}
        />
      )}
    />
  )
}

interface SelectProps {
  name: 'compressionAlgorithm' | 'notificationLanguage' | 'quotaPolicy'
  data: { value: string; label: string }[]
  description?: string
}

export function SelectSetting({ name, data, description }: SelectProps) {
  const { canChange, label, error, form, config } = useSetting(name)
  if (!canChange) {
    return <Shown name={name}>{data.find(({ value }) => value === config[name])?.label}</Shown>
  }
  return (
    <div>
      <NativeSelect
        label={label}
        description={description}
        error={error}
        data={data}
        {...form.register(name)}
      />
      <WayBack name={name} />
    </div>
  )
}

interface ListProps {
  name: Named<string[]>
  description?: string
  placeholder?: string
  /** What counts of the typed entries; all do where nothing is said. */
  accepts?: (entry: string) => boolean
}

export function ListSetting({ name, accepts = () => true, ...rest }: ListProps) {
  const { canChange, label, error, form, config } = useSetting(name)
  if (!canChange) return <Shown name={name}>{config[name].join(', ')}</Shown>
  return (
    <Controller
      control={form.control}
      name={name}
      render={({ field: { onChange, ...field } }) => (
        <TagsInput
          {...field}
          label={label}
          error={error}
          splitChars={[',', ' ', ';']}
          onChange={entries => onChange(entries.filter(accepts))}
          {...rest}
        />
      )}
    />
  )
}
