import { lazy, Suspense } from 'react'
import type { Status } from '@/api/schema'
import { useCan } from '@/session/me'
import { Boundary } from '@/ui/Boundary'
import { useProgress } from './progress'

const FirstRunGuide = lazy(() => import('./FirstRunGuide'))

/**
 * The guide, for who can follow it: begun where there is no good backup, and there until everything is done or somebody
 * puts it away.
 */
export function FirstRun({ status }: { status: Status }) {
  const can = useCan()
  const { state } = useProgress()
  if (!can('ADMIN') || state === 'closed' || (state === 'new' && status.lastSuccessful)) return null
  return (
    <Suspense>
      <Boundary>
        <FirstRunGuide status={status} />
      </Boundary>
    </Suspense>
  )
}
