import { ActionIcon, Menu } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconLogout, IconPlayerPause, IconUser } from '@tabler/icons-react'
import { useNavigate } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { queryClient } from '@/api/queries'
import { useCan, useMe } from '@/session/me'
import { FailureNotice } from '@/ui/FailureNotice'

const PauseModal = lazy(() => import('./PauseModal'))

/** Who is logged in, and the way out; for who may, the way to pause the system. */
export function AccountMenu() {
  const { t } = useTranslation()
  const can = useCan()
  const [isPausing, { open, close }] = useDisclosure()
  const navigate = useNavigate()
  const { user } = useMe()
  const logOut = $api.useMutation('post', '/api/auth/logout', {
    onSuccess: async () => {
      await navigate({ to: '/login', search: {} })
      queryClient.clear()
    },
  })
  if (!user) return null
  return (
    <>
      <Menu closeOnItemClick={false}>
        <Menu.Target>
          <ActionIcon variant="default" size="lg" aria-label={t('account.menu', { name: user.displayName })}>
            <IconUser size={18} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown maw={320}>
          <Menu.Label>
            {user.email} · {t(`account.role.${user.role}`)}
          </Menu.Label>
          <FailureNotice error={logOut.error} />
          {can('ADMIN') && (
            <Menu.Item
              leftSection={<IconPlayerPause size={16} aria-hidden />}
              closeMenuOnClick
              onClick={open}
            >
              {t('pause.action')}
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => logOut.mutate({})}>
            {t('account.logout')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {isPausing && (
        <Suspense>
          <PauseModal onClose={close} />
        </Suspense>
      )}
    </>
  )
}
