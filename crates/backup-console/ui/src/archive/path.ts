/** The folders that lead to a path, from the part on; each with its name and its own path. */
export function trail(path: string): { name: string; path: string }[] {
  // A name never has a slash in it, and a backslash only as the server's escape.
  const names = path.split('/').filter(name => name !== '')
  return names.map((name, index) => ({ name, path: names.slice(0, index + 1).join('/') }))
}

/** The part of the files, whose inner paths a restore can choose among. */
export const FILES = 'files/'

/**
 * A path as a restore wants it, which is inside the files; `null` where it cannot be chosen by itself: another part, or a
 * name with bytes that only the server's escapes can show.
 */
export function selectable(path: string): string | null {
  if (!path.startsWith(FILES) || path.length === FILES.length || path.includes('\\')) return null
  return path.slice(FILES.length)
}

/** Adds a path to the chosen ones or takes it away; what a chosen folder holds already is not named beside it. */
export function toggle(chosen: string[], path: string): string[] {
  if (chosen.includes(path)) return chosen.filter(other => other !== path)
  return [...chosen.filter(other => !other.startsWith(`${path}/`)), path]
}

/** The chosen folder that holds a path, where there is one. */
export function coveredBy(chosen: string[], path: string): string | undefined {
  return chosen.find(other => path.startsWith(`${other}/`))
}
