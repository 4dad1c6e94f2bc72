import { Table, Text, VisuallyHidden } from '@mantine/core'
import { keepPreviousData } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import { formatTime } from '@/i18n/format'
import { FailureNotice } from '@/ui/FailureNotice'

interface Props {
  expression: string
  timezone: string
  count: number
}

/** Times are asked for anew when the first one is over, and now and then: a timer cannot wait for a year. */
const LONGEST_WAIT = 3_600_000

/** The zone of whoever looks at the page. */
const viewerZone = Intl.DateTimeFormat().resolvedOptions().timeZone

/** What the server says of an expression: in words and when it is due. Nothing is asked of an empty one. */
export function useCronPreview({ expression, timezone, count }: Props) {
  return $api.useQuery(
    'post',
    '/api/admin/backup/schedule/preview',
    { body: { cronExpression: expression, timezone, count } },
    {
      enabled: expression !== '',
      placeholderData: keepPreviousData,
      refetchInterval: ({ state }) => {
        const next = state.data?.runs[0]
        if (!next) return false
        return Math.min(Math.max(Date.parse(next) - Date.now(), 0) + 1_000, LONGEST_WAIT)
      },
    },
  )
}

/** When a schedule is due next, in its time zone and in the viewer's. */
export function NextRuns(props: Props) {
  const { t } = useTranslation('schedules')
  const { data, error } = useCronPreview(props)
  if (!data) return <FailureNotice error={error} />
  if (data.runs.length === 0) return t('runs.none')
  const { timezone } = props
  const isElsewhere = data.runs.some(run => formatTime(run, timezone) !== formatTime(run))
  return (
    <Table fz="sm" verticalSpacing={2} horizontalSpacing="xs" withRowBorders={false} w="auto">
      <Table.Thead>
        <Table.Tr>
          <Table.Th fw={500} fz="xs" pl={0}>
            {isElsewhere ? (
              t('runs.zone', { zone: timezone })
            ) : (
              <VisuallyHidden>{t('runs.zone', { zone: timezone })}</VisuallyHidden>
            )}
          </Table.Th>
          {isElsewhere && (
            <Table.Th fw={500} fz="xs">
              {t('runs.viewer', { zone: viewerZone })}
            </Table.Th>
          )}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {data.runs.map(run => (
          <Table.Tr key={run}>
            <Table.Td pl={0}>
              <time dateTime={run}>{formatTime(run, timezone)}</time>
            </Table.Td>
            {isElsewhere && (
              <Table.Td>
                <Text size="sm" span>
                  {formatTime(run)}
                </Text>
              </Table.Td>
            )}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  )
}
