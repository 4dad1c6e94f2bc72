import { Button, Group, Modal, Stack } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { FailureNotice } from './FailureNotice'

interface Props {
  title: string
  children: ReactNode
  /** What the button says that does it. */
  confirm: string
  /** What the other button says. */
  dismiss?: string
  failed?: string
  error: unknown
  isPending: boolean
  isDisabled?: boolean
  /** It takes nothing away. */
  isHarmless?: boolean
  onConfirm: () => void
  onClose: () => void
}

/** Asks before something that cannot be undone, or that is to be understood first, and stays open with the server's message where that is refused. */
export function ConfirmModal({ title, children, confirm, dismiss, failed, error, ...rest }: Props) {
  const { t } = useTranslation()
  return (
    <Modal opened onClose={rest.onClose} title={title}>
      <Stack>
        {children}
        <FailureNotice error={error} title={failed} />
        <Group justify="flex-end">
          <Button variant="default" onClick={rest.onClose} data-autofocus>
            {dismiss ?? t('action.cancel')}
          </Button>
          <Button
            {...(!rest.isHarmless && { color: 'red' })}
            onClick={rest.onConfirm}
            loading={rest.isPending}
            disabled={rest.isDisabled}
          >
            {confirm}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
