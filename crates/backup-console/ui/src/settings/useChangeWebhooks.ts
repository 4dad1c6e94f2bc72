import { useMutation } from '@tanstack/react-query'
import type { BackupConfig } from '@/api/schema'
import { refreshConfigs } from './useConfigForm'
import { changeWebhooks, type WebhooksChange } from './webhooks'

/** Changes the webhooks of a configuration, and calls `onChanged` once that is done. */
export function useChangeWebhooks({ key }: BackupConfig, onChanged: () => void) {
  return useMutation({
    mutationFn: (change: WebhooksChange) => changeWebhooks(key, change),
    onSuccess: () => {
      onChanged()
      return refreshConfigs()
    },
  })
}
