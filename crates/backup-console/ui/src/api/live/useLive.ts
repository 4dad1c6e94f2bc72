import { useEffect, useSyncExternalStore } from 'react'
import { queryClient } from '../queries'
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
    if (state !== 'polling') return
    const timer = setInterval(() => void queryClient.invalidateQueries(), POLL)
    return () => clearInterval(timer)
  }, [state])

  return state
}
