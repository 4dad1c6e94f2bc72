import { Button, Group } from '@mantine/core'
import { useTranslation } from 'react-i18next'

interface Props {
  onBack?: () => void
  onNext?: () => void
  canGoOn?: boolean
}

/** Back and on. */
export function WizardButtons({ onBack, onNext, canGoOn = true }: Props) {
  const { t } = useTranslation('restore')
  return (
    <Group justify="space-between">
      {onBack ? (
        <Button variant="default" onClick={onBack}>
          {t('wizard.back')}
        </Button>
      ) : (
        <span />
      )}
      {onNext && (
        <Button onClick={onNext} disabled={!canGoOn}>
          {t('wizard.next')}
        </Button>
      )}
    </Group>
  )
}
