import { useSuspenseQuery } from '@tanstack/react-query'
import { $api } from '@/api/client'
import { queryClient } from '@/api/queries'

/** Who is logged in. */
export const meQuery = $api.queryOptions(
  'get',
  '/api/auth/me',
  {},
  { staleTime: Number.POSITIVE_INFINITY, retry: 2 },
)

/** Whether somebody is, as far as this page knows. */
export function isLoggedIn(): boolean {
  return queryClient.getQueryData(meQuery.queryKey) !== undefined
}

/** What a route of the server asks for: `x-access` in its description. */
export type Access = 'READ' | 'OPERATE' | 'ADMIN'

/** Who is logged in, within what only they see. */
export function useMe() {
  return useSuspenseQuery(meQuery).data
}

/** Tells what this person may do, so that nothing is offered that the server would refuse. */
export function useCan(): (access: Access) => boolean {
  const { user } = useMe()
  return access => access === 'READ' || user?.role === 'ADMIN'
}
