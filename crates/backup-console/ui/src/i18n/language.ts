/** The languages of the console; the first is the default, as it is the server's. */
export const LANGUAGES = ['zh-TW', 'en'] as const
export type Language = (typeof LANGUAGES)[number]

const KEY = 'backup-language'

let current: Language = stored() ?? LANGUAGES[0]

function stored(): Language | undefined {
  return LANGUAGES.find(language => language === localStorage.getItem(KEY))
}

/** The chosen language. */
export function currentLanguage(): Language {
  return current
}

/** Remembers the language in this browser. Texts change by `changeLanguage` in `i18n.ts`. */
export function storeLanguage(language: Language): void {
  current = language
  localStorage.setItem(KEY, language)
}
