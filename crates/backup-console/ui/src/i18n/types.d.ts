import 'i18next'
import type backups from './zh-TW/backups.json'
import type common from './zh-TW/common.json'
import type overview from './zh-TW/overview.json'
import type schedules from './zh-TW/schedules.json'

// Keys that do not exist are errors of the compiler. A new file of texts takes a line here.
declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'common'
    resources: {
      common: typeof common
      overview: typeof overview
      backups: typeof backups
      schedules: typeof schedules
    }
  }
}
