import { Alert, Box } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { Failure } from '@/api/failure'
import { POLL } from '@/api/live/hub'
import { useLive } from '@/api/live/useLive'
import { formatTime } from '@/i18n/format'
import { FailureNotice } from '@/ui/FailureNotice'
import { useNow } from '@/ui/useNow'

/** After how long a server that says nothing, not even no, counts as away. */
const SILENT = 4 * POLL

/** Keeps the page current, and says where it cannot do so at once, or at all. */
export function LiveNotice() {
  const { t, i18n } = useTranslation()
  const state = useLive(i18n.language)
  const failure = useStatusFailure()
  return (
    <div role="status" data-live={state}>
      {failure ? (
        <Box mb="md">
          <FailureNotice error={failure.error} title={t('live.away', { time: formatTime(failure.asOf) })} />
        </Box>
      ) : (
        state === 'polling' && (
          <Alert color="yellow" mb="md">
            {t('live.polling')}
          </Alert>
        )
      )}
    </div>
  )
}

/** Why nothing newer is known than what the server said at `asOf`; `null` where what is shown is current. */
function useStatusFailure(): { error: unknown; asOf: string } | null {
  const now = useNow()
  // Asked for as long as the page is open: events go on, without any, where the catalog is away.
  const { data, dataUpdatedAt, error, isPaused } = useQuery({
    ...$api.queryOptions('get', '/api/admin/backup/status'),
    refetchInterval: POLL,
    refetchIntervalInBackground: true,
  })
  // Where there never was an answer, the page itself says so.
  if (!data) return null
  // Paused: the browser is offline.
  if (!error && !isPaused && now - dataUpdatedAt < SILENT) return null
  return { error: error ?? new Failure(0, {}, null), asOf: new Date(dataUpdatedAt).toISOString() }
}
