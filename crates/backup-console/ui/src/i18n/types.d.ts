import 'i18next'
import type audit from './zh-TW/audit.json'
import type backups from './zh-TW/backups.json'
import type common from './zh-TW/common.json'
import type overview from './zh-TW/overview.json'
import type recovery from './zh-TW/recovery.json'
import type schedules from './zh-TW/schedules.json'
import type settings from './zh-TW/settings.json'

// Keys that do not exist are errors of the compiler. A new file of texts takes a line here.
declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'common'
    resources: {
      common: typeof common
      overview: typeof overview
      backups: typeof backups
      schedules: typeof schedules
      settings: typeof settings
      audit: typeof audit
      recovery: typeof recovery
    }
  }
}
