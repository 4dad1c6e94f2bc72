import { useSyncExternalStore } from 'react'
import { STEPS, type Step } from './steps'

/** How far the guide was followed in this browser. */
export interface Progress {
  /** `open` from when it was first shown, `closed` once somebody has put it away. */
  state: 'new' | 'open' | 'closed'
  /** Steps that only the person knows of. */
  passed: Step[]
}

const KEY = 'backup-guide'

let progress = stored()
const listeners = new Set<() => void>()

/** What is remembered; what somebody else wrote there counts as nothing. */
function stored(): Progress {
  try {
    const { state, passed } = JSON.parse(localStorage.getItem(KEY) ?? '{}')
    return {
      state: state === 'open' || state === 'closed' ? state : 'new',
      passed: STEPS.filter(step => Array.isArray(passed) && passed.includes(step)),
    }
  } catch {
    return { state: 'new', passed: [] }
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function change(changes: Partial<Progress>): void {
  progress = { ...progress, ...changes }
  localStorage.setItem(KEY, JSON.stringify(progress))
  for (const listener of listeners) listener()
}

/** How far the guide was followed, as it changes. */
export function useProgress(): Progress {
  return useSyncExternalStore(subscribe, () => progress)
}

/** Remembers that the guide is shown, or put away. */
export function setGuide(state: 'open' | 'closed'): void {
  if (progress.state !== state) change({ state })
}

/** Remembers that a step was taken, or taken back. */
export function setPassed(step: Step, isPassed = true): void {
  const others = progress.passed.filter(each => each !== step)
  change({ passed: isPassed ? [...others, step] : others })
}
