// Reads what stands in an address. It may have been typed by anybody: what does not fit is `undefined`.

/** One of these values. */
export function oneOf<T extends string | number>(values: readonly T[], value: unknown): T | undefined {
  return values.find(each => each === value)
}

/** A text that is not empty. A number counts as one: the address does not tell them apart. */
export function text(value: unknown): string | undefined {
  const given = typeof value === 'number' ? String(value) : value
  return typeof given === 'string' && given !== '' ? given : undefined
}

/** A whole number from 1 on. */
export function wholeNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 ? value : undefined
}

/** A day, `YYYY-MM-DD`. */
export function day(value: unknown): string | undefined {
  const given = text(value)
  return given && /^\d{4}-\d\d-\d\d$/.test(given) && !Number.isNaN(Date.parse(given)) ? given : undefined
}

// A day of the viewer's zone is another span than the server's day in UTC.

/** When it begins for the viewer. */
export function startOf(given: string): string {
  return new Date(`${given}T00:00:00`).toISOString()
}

/** The last moment of it for the viewer. */
export function endOf(given: string): string {
  return new Date(`${given}T23:59:59.999`).toISOString()
}
