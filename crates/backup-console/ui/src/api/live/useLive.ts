import { useEffect, useSyncExternalStore } from 'react'
import { queryClient, refresh } from '../queries'
import { live, POLL } from './hub'

/** Keeps the cache current while the component is there, by events or, where none come, by asking every now and then. */
export function useLive(language: string) {
  const state = useSyncExternalStore(live.subscribe, live.getState)

  // biome-ignore lint/correctness/useExhaustiveDependencies: the stream speaks the language it was opened with
  useEffect(() => {
    live.start()
    return () => live.stop()
  }, [language])

  useEffect(() => {
    // What could not be read while the server was away would say so until the next event.
    if (state === 'live') {
      void queryClient.invalidateQueries({ predicate: query => query.state.status === 'error' })
    }
    if (state !== 'polling') return
    // Not only later: it tells whether the server is there at all.
    void refresh('/api/admin/backup/status')
    const timer = setInterval(() => void queryClient.invalidateQueries(), POLL)
    return () => clearInterval(timer)
  }, [state])

  return state
}
