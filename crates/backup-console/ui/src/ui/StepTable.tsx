import { Table } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { JobStep } from '@/api/schema'
import { formatSeconds, formatTimeExactly, formatTimeToSecond } from '@/i18n/format'

/** What a job did one after the other, and how long each step took. */
export function StepTable({ steps }: { steps: JobStep[] }) {
  const { t } = useTranslation()
  return (
    <Table.ScrollContainer minWidth={320} type="native">
      <Table aria-label={t('step.title')}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('step.name')}</Table.Th>
            <Table.Th>{t('step.began')}</Table.Th>
            <Table.Th>{t('step.took')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {steps.map(({ step, startedAt, durationMs }) => (
            <Table.Tr key={`${step} ${startedAt}`}>
              <Table.Td>{t(`step.${step}`)}</Table.Td>
              <Table.Td>
                <time dateTime={startedAt} title={formatTimeExactly(startedAt)}>
                  {formatTimeToSecond(startedAt)}
                </time>
              </Table.Td>
              <Table.Td>{durationMs == null ? t('step.running') : formatSeconds(durationMs)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
