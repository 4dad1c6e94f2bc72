import { oneOf, text, wholeNumber } from '@/app/search'

/** The steps of the wizard after a point is chosen. */
export const STEPS = ['scope', 'target', 'plan'] as const
export type Step = (typeof STEPS)[number]

/** What the address of the wizard says. What is filled in stays on the page. */
export interface WizardSearch {
  /** The backup that is restored; none: it is still to be chosen. */
  backup?: string
  step?: Step
}

export function readWizardSearch(search: Record<string, unknown>): WizardSearch {
  const [backup, step] = [text(search.backup), oneOf(STEPS, search.step)]
  return { ...(backup !== undefined && { backup }), ...(step !== undefined && { step }) }
}

/** What the address of the list says. */
export interface RestoresSearch {
  /** Counts from 1. */
  page?: number
}

export function readRestoresSearch(search: Record<string, unknown>): RestoresSearch {
  const page = wholeNumber(search.page)
  return page === undefined ? {} : { page }
}
