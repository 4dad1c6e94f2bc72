import { QueryClient } from '@tanstack/react-query'
import { Failure } from './failure'
import type { paths } from './schema'

/** How often what passes by itself is tried again. */
const RETRIES = 2

/** The cache of what the server said. Live events keep it current, so that nothing is asked again for a while. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 60_000,
      retry: (count, error) => count < RETRIES && error instanceof Failure && error.isPassing,
    },
  },
})

/** Has whatever was read from these paths read anew. To be called after a write. */
export function refresh(...of: (keyof paths)[]): Promise<void> {
  return queryClient.invalidateQueries({
    predicate: ({ queryKey }) => of.includes(queryKey[1] as keyof paths),
  })
}
