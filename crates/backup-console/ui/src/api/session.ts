type Listener = () => void

const listeners = new Set<Listener>()

/** Tells whoever listens that the server no longer knows this log-in. */
export function sessionEnded(): void {
  for (const listener of listeners) listener()
}

/** Calls `listener` whenever the server no longer knows this log-in, until the returned function is called. */
export function onSessionEnded(listener: Listener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
