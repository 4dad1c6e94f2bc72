import { createRouter } from '@tanstack/react-router'
import { basePath } from '@/api/base'
import { queryClient } from '@/api/queries'
import { onSessionEnded } from '@/api/session'
import { isLoggedIn } from '@/session/me'
import { FailurePage } from '@/ui/FailurePage'
import { Loading } from '@/ui/Loading'
import { MissingPage } from '@/ui/MissingPage'
import { routeTree } from './routes'

export const router = createRouter({
  routeTree,
  basepath: basePath || '/',
  defaultPreload: 'intent',
  defaultErrorComponent: FailurePage,
  defaultPendingComponent: Loading,
  defaultNotFoundComponent: MissingPage,
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}

// Whoever's log-in is over logs in again, and comes back to where it happened.
onSessionEnded(() => {
  if (!isLoggedIn()) return
  queryClient.clear()
  void router.navigate({ to: '/login', search: { returnTo: router.state.location.href, expired: true } })
})
