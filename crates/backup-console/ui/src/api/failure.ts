import type { Error as ErrorBody } from './schema'

/** A request that did not succeed. `message` is the server's sentence, in the chosen language; empty where it said none. */
export class Failure extends Error {
  /** The status of the answer; 0 where there was none. */
  readonly status: number
  /** The server's stable code; `unreachable` where it did not answer. */
  readonly code: string
  readonly details: Record<string, unknown>
  /** What the server adds for who wants to know more, in English; `null` where it adds values or nothing. */
  readonly remark: string | null
  /** What the server's log knows the request by. */
  readonly requestId: string | null

  constructor(status: number, body: Partial<ErrorBody>, requestId: string | null, cause?: unknown) {
    super(body.error ?? '', { cause })
    this.name = 'Failure'
    this.status = status
    this.code = body.code ?? (status === 0 ? 'unreachable' : `http_${status}`)
    this.details = (typeof body.details === 'object' ? (body.details ?? {}) : {}) as Record<string, unknown>
    this.remark = typeof body.details === 'string' ? body.details : null
    this.requestId = requestId
  }

  /** Whether the same request may succeed a little later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 503
  }
}

/** What a refused answer says. A proxy's page is no sentence of the server's and is left out. */
export async function failureOf(response: Response): Promise<Failure> {
  let body: Partial<ErrorBody> = {}
  try {
    body = await response.clone().json()
  } catch {
    // Not JSON: the status has to do.
  }
  return new Failure(response.status, body, response.headers.get('x-request-id'))
}
