/** The address that the console runs under, ending with a slash; the server writes its path prefix into `<base>`. */
export const base = new URL('.', document.baseURI)

/** The path of that address without the slash at the end: empty, or as `/backup`. */
export const basePath = base.pathname.replace(/\/$/, '')

/** The address of something on the server, for what is not fetched but followed: downloads, the log-in elsewhere. */
export function serverUrl(path: string, query: Record<string, string> = {}): string {
  const url = new URL(path, base)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url.href
}
