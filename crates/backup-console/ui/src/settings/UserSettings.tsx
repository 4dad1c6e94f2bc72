import { ActionIcon, Button, Menu, NativeSelect, Stack, Switch, Table, Text } from '@mantine/core'
import { IconDots, IconKey, IconTrash, IconUserPlus } from '@tabler/icons-react'
import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Role, User } from '@/api/schema'
import { useMe } from '@/session/me'
import { CardTable } from '@/ui/CardTable'
import { ConfirmModal } from '@/ui/ConfirmModal'
import { FailureNotice } from '@/ui/FailureNotice'
import { Section } from '@/ui/Section'
import { TimeDisplay } from '@/ui/TimeDisplay'

const CreateUserModal = lazy(() => import('./CreateUserModal'))
const PasswordModal = lazy(() => import('./PasswordModal'))

export const ROLES = ['VIEWER', 'ADMIN'] as const satisfies Role[]

/** Who may log in, and what they may do. */
export function UserSettings() {
  const { t } = useTranslation('settings')
  const [isCreating, setCreating] = useState(false)
  return (
    <Section
      title={t('tab.users')}
      actions={
        <Button
          size="xs"
          variant="default"
          leftSection={<IconUserPlus size={16} aria-hidden />}
          onClick={() => setCreating(true)}
        >
          {t('user.add')}
        </Button>
      }
    >
      <UserTable />
      {isCreating && (
        <Suspense>
          <CreateUserModal onClose={() => setCreating(false)} />
        </Suspense>
      )}
    </Section>
  )
}

function UserTable() {
  const { t } = useTranslation('settings')
  const { users } = $api.useSuspenseQuery('get', '/api/admin/users').data
  const update = $api.useMutation('patch', '/api/admin/users/{id}', {
    onSuccess: () => refresh('/api/admin/users'),
  })
  return (
    <Stack>
      <FailureNotice error={update.error} title={t('saveFailed')} />
      <CardTable
        label={t('tab.users')}
        minWidth={720}
        head={
          <>
            <Table.Th>{t('user.name')}</Table.Th>
            <Table.Th>{t('user.role')}</Table.Th>
            <Table.Th>{t('user.active')}</Table.Th>
            <Table.Th>{t('user.lastLogin')}</Table.Th>
            <Table.Th>{t('created')}</Table.Th>
            <Table.Th>{t('actions')}</Table.Th>
          </>
        }
      >
        {users.map(user => (
          <UserRow
            key={user.id}
            user={user}
            isPending={update.isPending}
            onChange={body => update.mutate({ params: { path: { id: user.id } }, body })}
          />
        ))}
      </CardTable>
    </Stack>
  )
}

interface RowProps {
  user: User
  isPending: boolean
  onChange: (changes: { role?: Role; isActive?: boolean }) => void
}

function UserRow({ user, isPending, onChange }: RowProps) {
  const { t } = useTranslation(['settings', 'common'])
  const isMe = useMe().user?.id === user.id
  const [open, setOpen] = useState<'password' | 'delete' | null>(null)
  const close = () => setOpen(null)
  return (
    <Table.Tr data-user={user.email}>
      <Table.Td maw={280}>
        <Text size="sm" fw={500} className="wrap-anywhere">
          {user.displayName} {isMe && t('user.me')}
        </Text>
        <Text size="xs" className="wrap-anywhere">
          {user.email}
        </Text>
      </Table.Td>
      <Table.Td data-label={t('user.role')}>
        <NativeSelect
          size="xs"
          aria-label={t('user.roleOf', { name: user.email })}
          value={user.role}
          data={ROLES.map(value => ({ value, label: t(`common:account.role.${value}`) }))}
          disabled={isPending}
          onChange={({ currentTarget: { value } }) => onChange({ role: ROLES.find(each => each === value) })}
        />
      </Table.Td>
      <Table.Td data-label={t('user.active')}>
        <Switch
          aria-label={t('user.activeOf', { name: user.email })}
          checked={user.isActive}
          disabled={isPending}
          withThumbIndicator={false}
          onChange={() => onChange({ isActive: !user.isActive })}
        />
      </Table.Td>
      <Table.Td data-label={t('user.lastLogin')}>
        <TimeDisplay at={user.lastLoginAt} />
      </Table.Td>
      <Table.Td data-label={t('created')}>
        <TimeDisplay at={user.createdAt} />
      </Table.Td>
      <Table.Td data-end>
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" aria-label={t('menu', { name: user.email })}>
              <IconDots size={18} aria-hidden />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item leftSection={<IconKey size={16} aria-hidden />} onClick={() => setOpen('password')}>
              {t('user.password')}
            </Menu.Item>
            <Menu.Item
              color="red"
              leftSection={<IconTrash size={16} aria-hidden />}
              onClick={() => setOpen('delete')}
            >
              {t('user.delete')}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
        {open === 'password' && (
          <Suspense>
            <PasswordModal user={user} onClose={close} />
          </Suspense>
        )}
        {open === 'delete' && <DeleteUser user={user} onClose={close} />}
      </Table.Td>
    </Table.Tr>
  )
}

function DeleteUser({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation(['settings', 'common'])
  const remove = $api.useMutation('delete', '/api/admin/users/{id}', {
    onSuccess: () => {
      onClose()
      return refresh('/api/admin/users', '/api/admin/tokens')
    },
  })
  return (
    <ConfirmModal
      title={t('user.delete')}
      confirm={t('common:action.delete')}
      failed={t('user.deleteFailed')}
      error={remove.error}
      isPending={remove.isPending}
      onConfirm={() => remove.mutate({ params: { path: { id: user.id } } })}
      onClose={onClose}
    >
      <Text>{t('user.deleteQuestion')}</Text>
      <Text fw={500} className="wrap-anywhere">
        {user.email}
      </Text>
    </ConfirmModal>
  )
}
