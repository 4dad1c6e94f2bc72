import { server } from '@/api/client'
import { Failure } from '@/api/failure'
import type { Webhook, WebhookChange, WebhookPreset } from '@/api/schema'

export const PRESETS = ['SLACK', 'TEAMS', 'DISCORD', 'PING', 'GENERIC'] as const satisfies WebhookPreset[]

/** A webhook as its form holds it. The address is a secret: empty unless it is typed anew. */
export type WebhookValues = Pick<Webhook, 'name' | 'preset' | 'url' | 'onFailure' | 'onSuccess'> & {
  template: string
}

/** A list of webhooks, made of the one that the server has now. */
export type WebhooksChange = (webhooks: Webhook[]) => WebhookChange[]

/** What the form begins with. */
export function valuesOf(webhook: Webhook | undefined): WebhookValues {
  return {
    name: webhook?.name ?? '',
    preset: webhook?.preset ?? PRESETS[0],
    url: '',
    template: webhook?.template ?? '',
    onFailure: webhook?.onFailure ?? true,
    onSuccess: webhook?.onSuccess ?? false,
  }
}

/** The list with a new one. The server refuses a name that is there already. */
export function withNew(webhooks: Webhook[], values: WebhookValues): WebhookChange[] {
  return [...webhooks, sent(values)]
}

/**
 * The list with what was changed in the form of one of them. One that somebody has removed meanwhile is a new
 * one, for which the server asks the address.
 */
export function withChanged(
  webhooks: Webhook[],
  values: WebhookValues,
  changed: readonly (keyof WebhookValues)[],
): WebhookChange[] {
  if (webhooks.every(({ name }) => name !== values.name)) return withNew(webhooks, values)
  const picked = Object.fromEntries(changed.map(field => [field, values[field]]))
  return webhooks.map(each => (each.name === values.name ? sent({ ...valuesOf(each), ...picked }) : each))
}

function sent({ url, template, ...values }: WebhookValues): WebhookChange {
  return {
    ...values,
    // Without an address that of the webhook of this name stays.
    ...(url && { url }),
    ...(values.preset === 'GENERIC' && template && { template }),
  }
}

/**
 * Changes the webhooks of a configuration. The server takes the whole list: the change is made to the list as it
 * is now, so that what somebody else has added or changed since it was shown stays.
 *
 * @throws Failure with the server's message
 */
export async function changeWebhooks(key: string, change: WebhooksChange): Promise<void> {
  const params = { query: { key } }
  const { data } = await server.GET('/api/admin/backup/config', { params })
  // What the server refuses is thrown: there was no answer of its own.
  if (!data) throw new Failure(0, {}, null)
  await server.PATCH('/api/admin/backup/config', { params, body: { webhooks: change(data.config.webhooks) } })
}
