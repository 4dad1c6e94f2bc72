import { Failure } from '@/api/failure'

/** The field that the server found fault with, as its codes name it; `null` where it was none. */
export function failedField(error: unknown): string | null {
  if (!(error instanceof Failure) || error.status !== 400) return null
  if (error.code === 'cron_invalid') return 'cronExpression'
  if (error.code === 'timezone_unknown') return 'timezone'
  if (error.code === 'account_email_invalid') return 'email'
  if (error.code === 'account_password_invalid') return 'password'
  const { field } = error.details
  // A place within a list, as `webhooks[0].url`, belongs to the list's field.
  return typeof field === 'string' ? field.replace(/[[.].*$/, '') : null
}
