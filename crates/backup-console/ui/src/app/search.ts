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
