import { useTranslation } from 'react-i18next'
import type { RestoreOptions } from '@/api/schema'

/** The parts that were asked for, in words. */
export function RestoredParts({ options }: { options: RestoreOptions }) {
  const { t, i18n } = useTranslation()
  const parts = [
    options.restoreDatabase && t('source.DATABASE'),
    options.restoreFiles && t('source.FILES'),
    options.restoreConfig && t('source.CONFIG'),
  ].filter(part => part !== false)
  return new Intl.ListFormat(i18n.language).format(parts)
}
