export interface LoginSearch {
  /** The page of the console to come back to. */
  returnTo?: string
  /** Whether the person was logged in until now. */
  expired?: boolean
}

/** Reads the address of the log-in page. Only a page of the console is come back to, never another site. */
export function readLoginSearch(search: Record<string, unknown>): LoginSearch {
  const { returnTo, expired } = search
  return {
    ...(typeof returnTo === 'string' && /^\/(?![/\\])/.test(returnTo) ? { returnTo } : {}),
    ...(expired === true ? { expired } : {}),
  }
}
