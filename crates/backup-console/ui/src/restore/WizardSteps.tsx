import { Badge, Group } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { STEPS } from './search'

const ALL = ['point', ...STEPS] as const

/** Which step this is, of which. */
export function WizardSteps({ current }: { current: (typeof ALL)[number] }) {
  const { t } = useTranslation('restore')
  return (
    <Group component="ol" gap="xs" m={0} p={0} style={{ listStyle: 'none' }} aria-label={t('wizard.steps')}>
      {ALL.map((step, index) => (
        <li key={step} aria-current={step === current ? 'step' : undefined}>
          <Badge
            size="lg"
            variant={step === current ? 'filled' : 'default'}
            fw={step === current ? 700 : 500}
          >
            {index + 1}. {t(`wizard.step.${step}`)}
          </Badge>
        </li>
      ))}
    </Group>
  )
}
