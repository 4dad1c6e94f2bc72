import { Alert, List, Stack, Table, Text } from '@mantine/core'
import { IconAlertTriangle, IconCircleCheck, IconCircleX } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { PlannedPart, RestorePlan } from '@/api/schema'
import { formatNumber, formatSize } from '@/i18n/format'

/** What a restore would read, write and replace, and every reason against it. */
export function PlanView({ plan }: { plan: RestorePlan }) {
  const { t } = useTranslation(['restore', 'common'])
  return (
    <Stack>
      {plan.refusals.length > 0 ? (
        <Alert color="red" role="alert" title={t('plan.impossible')} icon={<IconCircleX aria-hidden />}>
          <List size="sm" spacing="xs">
            {plan.refusals.map(refusal => (
              <List.Item key={refusal.code + refusal.message} className="wrap-anywhere">
                <b>{t(`refusal.${refusal.code}`)}</b>
                <br />
                <span lang="en">{refusal.message}</span>
                <br />
                <span lang="en">{refusal.hint}</span>
              </List.Item>
            ))}
          </List>
        </Alert>
      ) : (
        <Alert
          color="green"
          role="status"
          title={t('plan.possible')}
          icon={<IconCircleCheck aria-hidden />}
        />
      )}
      {plan.warnings.length > 0 && (
        <Alert color="yellow" title={t('plan.warnings')} icon={<IconAlertTriangle aria-hidden />}>
          <List size="sm" lang="en">
            {plan.warnings.map(warning => (
              <List.Item key={warning} className="wrap-anywhere">
                {warning}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      <Table.ScrollContainer minWidth={560} type="native">
        <Table aria-label={t('plan.parts')}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('plan.part')}</Table.Th>
              <Table.Th>{t('plan.target')}</Table.Th>
              <Table.Th>{t('plan.replaces')}</Table.Th>
              <Table.Th>{t('plan.needs')}</Table.Th>
              <Table.Th>{t('plan.free')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {plan.parts.map(part => (
              <Table.Tr key={part.part}>
                <Table.Th scope="row" fw={500}>
                  {t(`common:source.${part.part}`)}
                </Table.Th>
                <Table.Td className="wrap-anywhere">{part.target}</Table.Td>
                <Table.Td>
                  <Replaced part={part} />
                </Table.Td>
                <Table.Td>{formatSize(part.neededBytes)}</Table.Td>
                <Table.Td>
                  {typeof part.freeBytes === 'number' ? formatSize(part.freeBytes) : t('plan.unknown')}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <List size="sm">
        <List.Item>
          {t('plan.reads', { count: plan.archives.length, size: formatSize(plan.readBytes) })}
        </List.Item>
        {plan.makesSafetyBackup && <List.Item>{t('plan.safety')}</List.Item>}
        {plan.keepsOldHours != null && (
          <List.Item>{t('plan.keeps', { count: plan.keepsOldHours })}</List.Item>
        )}
      </List>
    </Stack>
  )
}

function Replaced({ part }: { part: PlannedPart }) {
  const { t } = useTranslation('restore')
  if (!part.replaces) return t('plan.nothing')
  const { sizeBytes, sessions } = part.replaces
  return (
    <>
      <Text size="sm" fw={600}>
        {typeof sizeBytes === 'number' ? formatSize(sizeBytes) : t('plan.whatIsThere')}
      </Text>
      {sessions > 0 && (
        <Text size="sm">{t('plan.sessions', { count: sessions, number: formatNumber(sessions) })}</Text>
      )}
    </>
  )
}
