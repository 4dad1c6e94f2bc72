import { useTranslation } from 'react-i18next'
import { formatDistance, formatTime, formatTimeExactly } from '@/i18n/format'
import { useNow } from './useNow'

interface Props {
  at: string | null | undefined
  /** How long ago or until instead of when. */
  distance?: boolean
}

/** A moment in the viewer's zone; to the second, with the zone's name, when pointed at. */
export function TimeDisplay({ at, distance = false }: Props) {
  const { t } = useTranslation()
  if (!at) return t('none')
  return (
    <time dateTime={at} title={formatTimeExactly(at)}>
      {distance ? <Distance at={at} /> : formatTime(at)}
    </time>
  )
}

function Distance({ at }: { at: string }) {
  return formatDistance(at, useNow())
}
