import { Alert } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useLive } from '@/api/live/useLive'

/** Keeps the page current, and says where it cannot do so at once. */
export function LiveNotice() {
  const { t, i18n } = useTranslation()
  const state = useLive(i18n.language)
  return (
    <div role="status" data-live={state}>
      {state === 'polling' && (
        <Alert color="yellow" mb="md">
          {t('live.polling')}
        </Alert>
      )}
    </div>
  )
}
