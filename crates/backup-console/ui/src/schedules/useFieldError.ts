import { useFormContext } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { MAX_DESCRIPTION, MAX_NAME, RANGES, type ScheduleValues } from './form'

const LONGEST: Partial<Record<keyof ScheduleValues, number>> = {
  name: MAX_NAME,
  description: MAX_DESCRIPTION,
}

/** What is wrong with a field: the server's sentence, or ours about what is typed. */
export function useFieldError(): (name: keyof ScheduleValues) => string | undefined {
  const { t } = useTranslation(['schedules', 'common'])
  const { errors } = useFormContext<ScheduleValues>().formState
  return name => {
    const error = errors[name]
    if (!error) return undefined
    // What the server refused has no type: zod's complaints have.
    if (!error.type) return error.message
    const range = name.startsWith('keep') ? RANGES.keep : RANGES[name as keyof typeof RANGES]
    if (range) return t('modal.range', { min: range[0], max: range[1] })
    if (name === 'startWindow') return t('modal.startWindowInvalid')
    return error.type === 'too_big' ? t('modal.tooLong', { max: LONGEST[name] ?? 0 }) : t('common:required')
  }
}
