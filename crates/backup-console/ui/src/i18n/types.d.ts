import 'i18next'
import type archive from './zh-TW/archive.json'
import type audit from './zh-TW/audit.json'
import type backups from './zh-TW/backups.json'
import type charts from './zh-TW/charts.json'
import type common from './zh-TW/common.json'
import type detail from './zh-TW/detail.json'
import type guide from './zh-TW/guide.json'
import type orphans from './zh-TW/orphans.json'
import type overview from './zh-TW/overview.json'
import type recovery from './zh-TW/recovery.json'
import type restore from './zh-TW/restore.json'
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
      archive: typeof archive
      audit: typeof audit
      charts: typeof charts
      detail: typeof detail
      guide: typeof guide
      orphans: typeof orphans
      recovery: typeof recovery
      restore: typeof restore
      schedules: typeof schedules
      settings: typeof settings
    }
  }
}
