import { Button, Group, Stack, Table, Text } from '@mantine/core'
import { IconShieldCheck } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { refresh } from '@/api/queries'
import type { BackupDetails, VerifyLevel } from '@/api/schema'
import { useCan } from '@/session/me'
import { Boundary } from '@/ui/Boundary'
import { FailureNotice } from '@/ui/FailureNotice'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { VerifyState } from '../VerifyState'

const LEVELS = ['CHECKSUM', 'CONTENT', 'RESTORE'] as const satisfies VerifyLevel[]

/** More than are shown. */
const SHOWN = 10

/** What the last verification found, another one at once, and who asked for which before. */
export function Verification({ backup }: { backup: BackupDetails }) {
  const { t } = useTranslation('detail')
  const can = useCan()
  // What the backup said when it was asked for: as soon as it says something else, that one is over.
  const [asked, setAsked] = useState<string | null>(null)
  const result = `${backup.verifiedAt} ${backup.verifyLevel} ${backup.verifyError}`
  const verify = $api.useMutation('post', '/api/admin/backup/{id}/verify', {
    onSuccess: () => {
      setAsked(result)
      return refresh('/api/admin/audit')
    },
  })
  return (
    <Stack gap="sm">
      <VerifyState backup={backup} />
      <div role="status">{asked === result && <Text size="sm">{t('verify.running')}</Text>}</div>
      <FailureNotice error={verify.error} title={t('verify.failed')} />
      {can('OPERATE') && (
        <Stack gap="xs">
          {LEVELS.map(level => (
            <Group key={level} gap="sm">
              <Button
                size="xs"
                variant="default"
                leftSection={<IconShieldCheck size={16} aria-hidden />}
                loading={verify.isPending && verify.variables.body?.level === level}
                onClick={() => verify.mutate({ params: { path: { id: backup.id } }, body: { level } })}
              >
                {t(`verify.${level}`)}
              </Button>
              <Text size="sm" flex="1 1 240px">
                {t(`verify.about.${level}`)}
              </Text>
            </Group>
          ))}
        </Stack>
      )}
      {can('ADMIN') && (
        <Boundary>
          <VerificationHistory backupId={backup.id} />
        </Boundary>
      )}
    </Stack>
  )
}

function VerificationHistory({ backupId }: { backupId: string }) {
  const { t } = useTranslation('detail')
  const query = { resourceId: backupId, action: 'BACKUP_VERIFY', limit: SHOWN }
  const { entries, total } = $api.useSuspenseQuery('get', '/api/admin/audit', { params: { query } }).data
  if (total === 0) return null
  return (
    <Table aria-label={t('verify.history')}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t('verify.history')}</Table.Th>
          <Table.Th>{t('history.by')}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {entries.map(entry => (
          <Table.Tr key={entry.id}>
            <Table.Td>
              <TimeDisplay at={entry.at} />
            </Table.Td>
            <Table.Td className="wrap-anywhere">{entry.user?.displayName ?? t('facts.system')}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}
