import { oneOf, text } from '@/app/search'

/** Parts of the settings that belong to a configuration. */
export const CONFIG_TABS = ['storage', 'source', 'encryption', 'notifications', 'quota'] as const
/** Parts that only administrators see. */
export const PEOPLE_TABS = ['users', 'tokens', 'login'] as const

export const TABS = [...CONFIG_TABS, ...PEOPLE_TABS] as const
export type ConfigTab = (typeof CONFIG_TABS)[number]
export type Tab = (typeof TABS)[number]

/** What the address of the settings says. */
export interface SettingsSearch {
  tab?: Tab
  /** The configuration that is shown; the default one where none is named. */
  config?: string
}

export function readSettingsSearch(search: Record<string, unknown>): SettingsSearch {
  return { tab: oneOf(TABS, search.tab), config: text(search.config) }
}

export function isConfigTab(tab: Tab): tab is ConfigTab {
  return CONFIG_TABS.some(each => each === tab)
}
