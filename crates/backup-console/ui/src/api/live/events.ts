/** One event of the server's stream. */
export interface ServerEvent {
  /** `backup`, `restore`, `schedule`, `alert`, or `reset`: read everything anew. */
  name: string
  /** The record as it is now, or `{id, deleted: true}`. */
  record: { id: string; deleted?: true } & Record<string, unknown>
  /** Where to go on from after an interruption. */
  lastEventId: string | null
}

/** Reads a stream of server-sent events; each turn gives those that came together, none where it only said it is alive. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent[]> {
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const blocks = (rest + value).split(/\r?\n\r?\n/)
    rest = blocks.pop() ?? ''
    yield blocks.map(parseEvent).filter(event => event !== null)
  }
}

/** An event from its lines; `null` for a comment. */
export function parseEvent(block: string): ServerEvent | null {
  const fields = new Map<string, string>()
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')]
    const before = fields.get(name)
    fields.set(name, name === 'data' && before !== undefined ? `${before}\n${value}` : value)
  }
  const data = fields.get('data')
  if (data === undefined) return null
  return {
    name: fields.get('event') ?? 'message',
    record: JSON.parse(data),
    lastEventId: fields.get('id') ?? null,
  }
}
