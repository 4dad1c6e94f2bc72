import 'i18next'
import type archive from './zh-TW/archive.json'
import type backups from './zh-TW/backups.json'
import type charts from './zh-TW/charts.json'
import type common from './zh-TW/common.json'
import type detail from './zh-TW/detail.json'
import type overview from './zh-TW/overview.json'
import type restore from './zh-TW/restore.json'

// Keys that do not exist are errors of the compiler. A new file of texts takes a line here.
declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'common'
    resources: {
      common: typeof common
      overview: typeof overview
      backups: typeof backups
      archive: typeof archive
      charts: typeof charts
      detail: typeof detail
      restore: typeof restore
    }
  }
}
