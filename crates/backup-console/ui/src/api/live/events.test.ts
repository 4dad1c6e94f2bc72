import { expect, it } from 'vitest'
import { parseEvent, readEvents } from './events'

async function read(...pieces: string[]) {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece))
      controller.close()
    },
  })
  const all = []
  for await (const events of readEvents(body)) all.push(...events)
  return all
}

it('puts events together from pieces cut anywhere, and knows comments', async () => {
  const text =
    'id: 7\nevent: backup\ndata: {"id":"ä"}\n\n: alive\n\nid: 8\nevent: alert\ndata: {"id":"b","deleted":true}\n\n'
  for (let cut = 1; cut < text.length; cut += 1) {
    expect(await read(text.slice(0, cut), text.slice(cut))).toEqual([
      { name: 'backup', record: { id: 'ä' }, lastEventId: '7' },
      { name: 'alert', record: { id: 'b', deleted: true }, lastEventId: '8' },
    ])
  }
})

it('does not take half an event for one', async () => {
  expect(await read('event: backup\ndata: {"id":"a"}\n')).toEqual([])
  expect(parseEvent(': alive')).toBeNull()
  expect(parseEvent('event: reset\ndata: {}')).toMatchObject({ name: 'reset', lastEventId: null })
})
