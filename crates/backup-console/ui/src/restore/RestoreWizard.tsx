import { Stack, Text } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { useCan } from '@/session/me'
import { Boundary } from '@/ui/Boundary'
import { PageHeader } from '@/ui/PageHeader'
import { type Draft, newDraft } from './draft'
import { PlanStep } from './PlanStep'
import { PointStep } from './PointStep'
import { ScopeStep } from './ScopeStep'
import type { Step } from './search'
import { TargetStep } from './TargetStep'
import { WizardSteps } from './WizardSteps'

const route = getRouteApi('/inside/restores/new')

/** From a point in time to a restore that runs: nothing is changed before its last step. */
export function RestoreWizard() {
  // The texts of the archive browser too: a step that waited for them would be away for a moment.
  const { t } = useTranslation(['restore', 'archive'])
  const { backup, step = 'scope' } = route.useSearch()
  const navigate = route.useNavigate()
  const can = useCan()
  return (
    <Stack>
      <PageHeader title={t('wizard.title')} />
      <Boundary>
        {!can('ADMIN') ? (
          <Text>{t('wizard.notPermitted')}</Text>
        ) : backup ? (
          <Filling key={backup} backupId={backup} step={step} />
        ) : (
          <>
            <WizardSteps current="point" />
            <PointStep onChoose={chosen => void navigate({ search: { backup: chosen, step: 'scope' } })} />
          </>
        )}
      </Boundary>
    </Stack>
  )
}

function Filling({ backupId, step }: { backupId: string; step: Step }) {
  const navigate = route.useNavigate()
  const { backup } = $api.useSuspenseQuery('get', '/api/admin/backup/{id}', {
    params: { path: { id: backupId } },
  }).data
  const { configs } = $api.useSuspenseQuery('get', '/api/admin/backup/configs').data
  const config = configs.find(each => each.key === backup.configKey)
  const contents = backup.contents ?? {}
  const [draft, setDraft] = useState<Draft>(() => newDraft(contents))
  const reached = useRef<Step>('scope')
  const top = useRef<HTMLDivElement>(null)

  // Loaded anew, or sent to somebody else: what was filled in is not in the address, so that it begins anew.
  const shown = reached.current === 'scope' ? 'scope' : step
  const change = (changes: Partial<Draft>) => setDraft(before => ({ ...before, ...changes }))
  const go = (to: Step | 'point') => {
    if (to !== 'point') reached.current = to
    void navigate({ search: to === 'point' ? {} : { backup: backupId, step: to } })
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: each step is read from its beginning
  useEffect(() => top.current?.focus(), [shown])

  const props = { backup, contents, config, draft, onChange: change, onGo: go }
  return (
    <>
      <WizardSteps current={shown} />
      <div ref={top} tabIndex={-1} style={{ outline: 'none' }}>
        {shown === 'scope' && <ScopeStep {...props} />}
        {shown === 'target' && <TargetStep {...props} />}
        {shown === 'plan' && <PlanStep {...props} />}
      </div>
    </>
  )
}
