import { ActionIcon, Menu } from '@mantine/core'
import {
  IconDots,
  IconFilterSearch,
  IconHistory,
  IconPencil,
  IconPlayerPlay,
  IconTrash,
} from '@tabler/icons-react'
import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Schedule } from '@/api/schema'
import { useCan } from '@/session/me'
import { DeleteScheduleModal } from './DeleteScheduleModal'
import { RetentionModal } from './RetentionModal'
import { ScheduleHistory } from './ScheduleHistory'
import type { ScheduleActions } from './useScheduleActions'

const ScheduleModal = lazy(() => import('./ScheduleModal'))

/** What may be done with a schedule; whoever may only look can look closer. */
export function ScheduleMenu({ schedule, actions }: { schedule: Schedule; actions: ScheduleActions }) {
  const { t } = useTranslation('schedules')
  const can = useCan()
  const [open, setOpen] = useState<'edit' | 'delete' | 'history' | 'retention' | null>(null)
  const close = () => setOpen(null)
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={t('menu', { name: schedule.name })}>
            <IconDots size={18} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {can('OPERATE') && (
            <Menu.Item
              leftSection={<IconPlayerPlay size={16} aria-hidden />}
              onClick={actions.run}
              disabled={actions.isPending}
            >
              {t('action.run')}
            </Menu.Item>
          )}
          {can('ADMIN') && (
            <Menu.Item leftSection={<IconPencil size={16} aria-hidden />} onClick={() => setOpen('edit')}>
              {t('action.edit')}
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconHistory size={16} aria-hidden />} onClick={() => setOpen('history')}>
            {t('action.history')}
          </Menu.Item>
          <Menu.Item
            leftSection={<IconFilterSearch size={16} aria-hidden />}
            onClick={() => setOpen('retention')}
          >
            {t('action.preview')}
          </Menu.Item>
          {can('ADMIN') && (
            <>
              <Menu.Divider />
              <Menu.Item
                color="red"
                leftSection={<IconTrash size={16} aria-hidden />}
                onClick={() => setOpen('delete')}
              >
                {t('action.delete')}
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
      {open === 'edit' && (
        <Suspense>
          <ScheduleModal schedule={schedule} onClose={close} />
        </Suspense>
      )}
      {open === 'history' && <ScheduleHistory schedule={schedule} onClose={close} />}
      {open === 'retention' && <RetentionModal schedule={schedule} onClose={close} />}
      {open === 'delete' && <DeleteScheduleModal schedule={schedule} onClose={close} />}
    </>
  )
}
