import { Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import { FailureNotice } from '@/ui/FailureNotice'
import { Loading } from '@/ui/Loading'
import { confirmationOf, toBody } from './draft'
import { PlanView } from './PlanView'
import type { StepProps } from './step'
import { WizardButtons } from './WizardButtons'

/** Shows what would be done, and does it once somebody has typed the name of what is written to. */
export function PlanStep({ backup, config, draft, onGo }: StepProps) {
  const { t } = useTranslation('restore')
  const navigate = useNavigate()
  const [typed, setTyped] = useState('')
  const asked = { params: { path: { id: backup.id } }, body: toBody(draft) }
  const plan = $api.useQuery('post', '/api/admin/backup/{id}/restore/plan', asked, {
    // What is there changes: each look at it is a new one.
    staleTime: 0,
    gcTime: 0,
  })
  const start = $api.useMutation('post', '/api/admin/backup/{id}/restore', {
    onSuccess: ({ restore }) => {
      void refresh('/api/admin/restore', '/api/admin/backup/{id}')
      return navigate({ to: '/restores/$restoreId', params: { restoreId: restore.id }, replace: true })
    },
  })
  const back = () => onGo('target')
  if (plan.isPending) return <Loading />
  if (plan.error) {
    return (
      <Stack>
        <FailureNotice error={plan.error} title={t('plan.failed')} onRetry={() => plan.refetch()} />
        <WizardButtons onBack={back} />
      </Stack>
    )
  }
  const isRefused = plan.data.plan.refusals.length > 0
  const phrase = confirmationOf(draft, backup, config)
  return (
    <Stack>
      <PlanView plan={plan.data.plan} />
      {isRefused ? (
        <Group justify="space-between">
          <Button variant="default" onClick={back}>
            {t('wizard.back')}
          </Button>
          <Button variant="default" loading={plan.isFetching} onClick={() => void plan.refetch()}>
            {t('plan.again')}
          </Button>
        </Group>
      ) : (
        <form
          onSubmit={event => {
            event.preventDefault()
            if (typed === phrase) start.mutate(asked)
          }}
        >
          <Stack>
            <TextInput
              label={t('plan.confirm', { name: phrase })}
              description={draft.mode === 'REPLACE' ? t('plan.confirmReplace') : t('plan.confirmNew')}
              value={typed}
              onChange={event => setTyped(event.currentTarget.value)}
              autoComplete="off"
              spellCheck={false}
              maw={640}
              classNames={{ label: 'wrap-anywhere' }}
            />
            <FailureNotice error={start.error} title={t('plan.refused')} />
            <Group justify="space-between">
              <Button variant="default" onClick={back}>
                {t('wizard.back')}
              </Button>
              <Button
                type="submit"
                color={draft.mode === 'REPLACE' ? 'red' : undefined}
                disabled={typed !== phrase}
                loading={start.isPending}
              >
                {draft.mode === 'REPLACE' ? t('plan.startReplace') : t('plan.start')}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
      {isRefused && <Text size="sm">{t('plan.nothingChanged')}</Text>}
    </Stack>
  )
}
