import { currentLanguage } from '@/i18n/language'
import { serverUrl } from '../base'
import { sessionEnded } from '../session'
import { readEvents, type ServerEvent } from './events'

/** A stream that is silent for longer is dead, as after sleep: the server says every quarter of a minute that it is there. */
const SILENCE = 40_000
/** Waiting time after the first and at most after the n-th failed attempt. */
const [FIRST_WAIT, LONGEST_WAIT] = [500, 15_000]

/** Whether changes come by themselves, or are asked for every now and then. */
export type LiveState = 'connecting' | 'live' | 'polling'

export interface ConnectionListener {
  onState(state: LiveState): void
  onEvents(events: ServerEvent[]): void
  /** Where to go on from; `null` at the very first. */
  lastEventId(): string | null
}

/**
 * Keeps a stream of events open until `signal` ends it, over loss of network, sleep and restarts of the server.
 *
 * Not an `EventSource`: that one cannot say the chosen language, sees no difference between a log-in that is over and a
 * server that is away, and waits for ever on a connection that sleep has cut.
 */
export async function stayConnected(listener: ConnectionListener, signal: AbortSignal): Promise<void> {
  let wait = FIRST_WAIT
  while (!signal.aborted) {
    const was = await follow(listener, signal)
    if (signal.aborted || was === 'over') return
    if (was === 'cut') wait = FIRST_WAIT
    listener.onState(was === 'cut' ? 'connecting' : 'polling')
    await pause(wait, signal)
    wait = Math.min(wait * 2, LONGEST_WAIT)
  }
}

/** One connection: `over` where the log-in is, `cut` where it held for a while, `refused` where there was none. */
async function follow(
  listener: ConnectionListener,
  signal: AbortSignal,
): Promise<'over' | 'cut' | 'refused'> {
  const dead = new AbortController()
  let timer = setTimeout(() => dead.abort(), SILENCE)
  let held = false
  try {
    const last = listener.lastEventId()
    const response = await fetch(serverUrl('api/admin/backup/events'), {
      headers: {
        Accept: 'text/event-stream',
        'Accept-Language': currentLanguage(),
        ...(last === null ? {} : { 'Last-Event-ID': last }),
      },
      signal: AbortSignal.any([signal, dead.signal]),
    })
    if (response.status === 401) {
      sessionEnded()
      return 'over'
    }
    if (!response.ok || !response.body) return 'refused'
    held = true
    listener.onState('live')
    for await (const events of readEvents(response.body)) {
      clearTimeout(timer)
      timer = setTimeout(() => dead.abort(), SILENCE)
      if (events.length > 0) listener.onEvents(events)
    }
  } catch {
    // Whatever cut it, the way on is the same: connect again.
  } finally {
    clearTimeout(timer)
  }
  return held ? 'cut' : 'refused'
}

/** Waits; less where the network comes back or the page is looked at again. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer)
      window.removeEventListener('online', done)
      document.removeEventListener('visibilitychange', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    window.addEventListener('online', done)
    document.addEventListener('visibilitychange', done)
    signal.addEventListener('abort', done)
  })
}
