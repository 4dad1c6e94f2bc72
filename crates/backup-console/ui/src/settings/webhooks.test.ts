import { expect, it, vi } from 'vitest'
import type { Webhook } from '@/api/schema'
import { changeWebhooks, valuesOf, withChanged, withNew } from './webhooks'

const stored = vi.hoisted(() => ({ webhooks: [] as unknown[], sent: [] as unknown[] }))
vi.mock('@/api/client', () => ({
  server: {
    GET: async () => ({ data: { config: { webhooks: stored.webhooks } } }),
    PATCH: async (_path: string, { body }: { body: unknown }) => {
      stored.sent.push(body)
      return {}
    },
  },
}))

const ops: Webhook = {
  name: 'ops',
  preset: 'GENERIC',
  url: '***',
  template: '{"text":"{message}"}',
  onFailure: true,
  onSuccess: false,
}
const theirs: Webhook = { ...ops, name: 'theirs', preset: 'SLACK', template: null }

it('changes the list as the server has it now, whatever was shown', async () => {
  stored.webhooks = [ops, theirs]
  await changeWebhooks('default', webhooks =>
    withNew(webhooks, { ...valuesOf(undefined), name: 'mine', url: 'https://a.example' }),
  )
  const mine = { name: 'mine', preset: 'SLACK', url: 'https://a.example', onFailure: true, onSuccess: false }
  expect(stored.sent).toEqual([{ webhooks: [ops, theirs, mine] }])
})

it('changes of a webhook what was changed in its form, and never its address unless that was typed', () => {
  const values = { ...valuesOf(ops), onFailure: false }
  // Meanwhile somebody else has it told of good backups.
  const [changed, other] = withChanged([{ ...ops, onSuccess: true }, theirs], values, ['onFailure'])
  const { url: _, ...kept } = ops
  expect(changed).toEqual({ ...kept, onFailure: false, onSuccess: true })
  expect(other).toBe(theirs)
  const [moved] = withChanged([ops], { ...values, url: 'https://a.example/c' }, ['url'])
  expect(moved).toEqual({ ...ops, url: 'https://a.example/c' })
  // Another program takes no template.
  const [sent] = withChanged([ops], { ...values, preset: 'TEAMS' }, ['preset'])
  expect(sent).toEqual({ name: 'ops', preset: 'TEAMS', onFailure: true, onSuccess: false })
})

it('makes a webhook anew that somebody has removed meanwhile', () => {
  const [other, made] = withChanged([theirs], { ...valuesOf(ops), onSuccess: true }, ['onSuccess'])
  expect(other).toBe(theirs)
  expect(made).toEqual({
    name: 'ops',
    preset: 'GENERIC',
    template: ops.template,
    onFailure: true,
    onSuccess: true,
  })
})
