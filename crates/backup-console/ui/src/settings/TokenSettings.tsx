import { ActionIcon, Badge, Button, Table, Text } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { Token } from '@/api/schema'
import { CardTable } from '@/ui/CardTable'
import { ConfirmModal } from '@/ui/ConfirmModal'
import { Section } from '@/ui/Section'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { useNow } from '@/ui/useNow'

const CreateTokenModal = lazy(() => import('./CreateTokenModal'))

/** What programs log in with. */
export function TokenSettings() {
  const { t } = useTranslation('settings')
  const [isCreating, setCreating] = useState(false)
  return (
    <Section
      title={t('tab.tokens')}
      actions={
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlus size={16} aria-hidden />}
          onClick={() => setCreating(true)}
        >
          {t('token.add')}
        </Button>
      }
    >
      <TokenTable />
      {isCreating && (
        <Suspense>
          <CreateTokenModal onClose={() => setCreating(false)} />
        </Suspense>
      )}
    </Section>
  )
}

function TokenTable() {
  const { t } = useTranslation('settings')
  const now = useNow()
  const { tokens } = $api.useSuspenseQuery('get', '/api/admin/tokens').data
  const [removed, setRemoved] = useState<Token | null>(null)
  if (tokens.length === 0) return <Text size="sm">{t('token.none')}</Text>
  return (
    <>
      <CardTable
        label={t('tab.tokens')}
        minWidth={720}
        head={
          <>
            <Table.Th>{t('token.name')}</Table.Th>
            <Table.Th>{t('token.scope')}</Table.Th>
            <Table.Th>{t('token.lastUsed')}</Table.Th>
            <Table.Th>{t('token.expires')}</Table.Th>
            <Table.Th>{t('created')}</Table.Th>
            <Table.Th>{t('actions')}</Table.Th>
          </>
        }
      >
        {tokens.map(token => (
          <Table.Tr key={token.id}>
            <Table.Td maw={280} className="wrap-anywhere">
              {token.name}
            </Table.Td>
            <Table.Td data-label={t('token.scope')}>
              <Badge variant="default">{t(`token.may.${token.scope}`)}</Badge>
            </Table.Td>
            <Table.Td data-label={t('token.lastUsed')}>
              {token.lastUsedAt ? <TimeDisplay at={token.lastUsedAt} /> : t('token.unused')}
            </Table.Td>
            <Table.Td data-label={t('token.expires')}>
              {token.expiresAt ? <TimeDisplay at={token.expiresAt} /> : t('token.forever')}
              {token.expiresAt && Date.parse(token.expiresAt) < now && (
                <Badge color="red" variant="light">
                  {t('token.expired')}
                </Badge>
              )}
            </Table.Td>
            <Table.Td data-label={t('created')}>
              <TimeDisplay at={token.createdAt} />
            </Table.Td>
            <Table.Td data-end>
              <ActionIcon
                variant="subtle"
                color="red"
                aria-label={t('token.deleteNamed', { name: token.name })}
                onClick={() => setRemoved(token)}
              >
                <IconTrash size={18} aria-hidden />
              </ActionIcon>
            </Table.Td>
          </Table.Tr>
        ))}
      </CardTable>
      {removed && <DeleteToken token={removed} onClose={() => setRemoved(null)} />}
    </>
  )
}

function DeleteToken({ token, onClose }: { token: Token; onClose: () => void }) {
  const { t } = useTranslation(['settings', 'common'])
  const remove = $api.useMutation('delete', '/api/admin/tokens/{id}', {
    onSuccess: () => {
      onClose()
      return refresh('/api/admin/tokens')
    },
  })
  return (
    <ConfirmModal
      title={t('token.delete')}
      confirm={t('common:action.delete')}
      failed={t('token.deleteFailed')}
      error={remove.error}
      isPending={remove.isPending}
      onConfirm={() => remove.mutate({ params: { path: { id: token.id } } })}
      onClose={onClose}
    >
      <Text>{t('token.deleteQuestion')}</Text>
      <Text fw={500} className="wrap-anywhere">
        {token.name}
      </Text>
    </ConfirmModal>
  )
}
