import { ActionIcon, Menu } from '@mantine/core'
import { IconLogout, IconUser } from '@tabler/icons-react'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { queryClient } from '@/api/queries'
import { useMe } from '@/session/me'
import { FailureNotice } from '@/ui/FailureNotice'

/** Who is logged in, and the way out. */
export function AccountMenu() {
  const { t } = useTranslation()
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
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => logOut.mutate({})}>
          {t('account.logout')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
