import { Pagination } from '@mantine/core'
import { useTranslation } from 'react-i18next'

interface Props {
  /** Entries on all pages. */
  total: number
  /** Entries of a page. */
  size: number
  /** The page that is shown, from 1 on. */
  page: number | undefined
  /** `undefined` for the first page, which an address does not name. */
  onChange: (page: number | undefined) => void
}

/** The way to the other pages of a list, where there are any. */
export function PageLinks({ total, size, page = 1, onChange }: Props) {
  const { t } = useTranslation()
  const pages = Math.ceil(total / size)
  if (pages <= 1 && page === 1) return null
  return (
    <Pagination
      component="nav"
      aria-label={t('pages.label')}
      total={pages}
      value={page}
      onChange={chosen => onChange(chosen === 1 ? undefined : chosen)}
      withEdges
      getItemProps={each => ({ 'aria-label': `${t('pages.label')} ${each}` })}
      getControlProps={control => ({ 'aria-label': t(`pages.${control}`) })}
    />
  )
}
