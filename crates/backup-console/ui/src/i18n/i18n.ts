import i18next, { type BackendModule } from 'i18next'
import { initReactI18next } from 'react-i18next'
import { queryClient } from '@/api/queries'
import { currentLanguage, LANGUAGES, type Language, storeLanguage } from './language'

/** One file of texts a feature and language, loaded when it is first needed. */
const files = import.meta.glob<{ default: Record<string, unknown> }>('./*/*.json')

const backend: BackendModule = {
  type: 'backend',
  init() {},
  async read(language, namespace) {
    const load = files[`./${language}/${namespace}.json`]
    if (!load) throw new Error(`no texts ${namespace} in ${language}`)
    return (await load()).default
  },
}

export const i18n = i18next.createInstance()

/** Begins with the language that this browser chose. */
export async function startI18n(): Promise<void> {
  await i18n
    .use(backend)
    .use(initReactI18next)
    .init({
      lng: currentLanguage(),
      supportedLngs: LANGUAGES,
      fallbackLng: false,
      ns: ['common'],
      defaultNS: 'common',
      // React shows every text as text.
      interpolation: { escapeValue: false },
    })
  document.documentElement.lang = currentLanguage()
}

/** Changes the language of the console, and has the server's sentences told anew in it. */
export async function changeLanguage(language: Language): Promise<void> {
  storeLanguage(language)
  await i18n.changeLanguage(language)
  document.documentElement.lang = language
  await queryClient.invalidateQueries()
}
