import createFetchClient, { type Middleware } from 'openapi-fetch'
import createQueryClient from 'openapi-react-query'
import { currentLanguage } from '@/i18n/language'
import { base } from './base'
import { Failure, failureOf } from './failure'
import type { paths } from './schema'
import { sessionEnded } from './session'

const manners: Middleware = {
  onRequest({ request }) {
    request.headers.set('Accept-Language', currentLanguage())
  },
  async onResponse({ response }) {
    if (response.ok) return
    const failure = await failureOf(response)
    if (failure.code === 'unauthorized') sessionEnded()
    throw failure
  },
  onError({ error }) {
    // An aborted request is nobody's failure, and what is thrown above is one already.
    if (error instanceof Failure || (error instanceof DOMException && error.name === 'AbortError')) return
    return new Failure(0, {}, null, error)
  },
}

/** The server, typed by its own description. Whatever it refuses is thrown as a `Failure`. */
export const server = createFetchClient<paths>({ baseUrl: base.href.replace(/\/$/, '') })
server.use(manners)

/** The same as hooks of TanStack Query: `$api.useSuspenseQuery('get', '/api/…')`, `$api.useMutation('post', '/api/…')`. */
export const $api = createQueryClient(server)
