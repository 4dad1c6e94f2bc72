import { basePath } from '../base'
import { queryClient } from '../queries'
import { Applier } from './apply'
import { type LiveState, stayConnected } from './connection'
import type { ServerEvent } from './events'

/** How often is asked where changes do not come by themselves. */
export const POLL = 30_000

type Message =
  | { kind: 'hello' }
  | { kind: 'state'; state: LiveState }
  | { kind: 'events'; events: ServerEvent[]; lastEventId: string | null }

/**
 * Keeps this tab's cache current by one stream of events for all tabs of a browser: the tab that holds the lock reads it
 * and tells the others. When it closes, another takes its place, and goes on where it was.
 */
class LiveHub {
  private state: LiveState = 'connecting'
  private readonly listeners = new Set<() => void>()
  private lastEventId: string | null = null
  private running: AbortController | null = null

  getState = (): LiveState => this.state

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Begins; ends what has begun before. */
  start(): void {
    this.stop()
    const running = new AbortController()
    this.running = running
    const { signal } = running
    const applier = new Applier()
    const channel = new BroadcastChannel(`backup-live ${basePath}`)
    let leads = false
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.kind === 'hello' && leads) tell({ kind: 'state', state: this.state })
      if (data.kind === 'state') this.change(data.state)
      if (data.kind === 'events') {
        this.lastEventId = data.lastEventId
        applier.add(data.events)
      }
    }
    const tell = (message: Message) => channel.postMessage(message)
    signal.addEventListener('abort', () => channel.close())
    tell({ kind: 'hello' })

    const lead = async () => {
      leads = true
      const listener = {
        lastEventId: () => this.lastEventId,
        onState: (state: LiveState) => {
          // What changed before the first connection was nobody's event.
          if (state === 'live' && this.lastEventId === null) void queryClient.invalidateQueries()
          this.change(state)
          tell({ kind: 'state', state })
        },
        onEvents: (events: ServerEvent[]) => {
          this.lastEventId =
            events.findLast(event => event.lastEventId !== null)?.lastEventId ?? this.lastEventId
          applier.add(events)
          tell({ kind: 'events', events, lastEventId: this.lastEventId })
        },
      }
      await stayConnected(listener, signal)
    }
    // Without TLS browsers give no locks: then each tab has a stream of its own, and does not listen to the others.
    if (!navigator.locks) {
      channel.onmessage = null
      void lead()
      return
    }
    navigator.locks.request(`backup-live ${basePath}`, { signal }, lead).catch(() => {
      // The wait for the lock was ended: by `stop`.
    })
  }

  /** Ends it; another tab goes on. */
  stop(): void {
    this.running?.abort()
    this.running = null
    this.state = 'connecting'
  }

  private change(state: LiveState): void {
    this.state = state
    for (const listener of this.listeners) listener()
  }
}

export const live = new LiveHub()
