import { Button, List, Stack } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { LogLine } from '@/api/schema'
import { formatTimeExactly, formatTimeToSecond } from '@/i18n/format'

/** How many lines are shown until all are asked for: the last ones, which say how it ended. */
const SHOWN = 100

/** What a job did, line by line. The words are the server's. */
export function JobLog({ lines }: { lines: LogLine[] }) {
  const { t } = useTranslation()
  const [all, setAll] = useState(false)
  const first = all ? 0 : Math.max(0, lines.length - SHOWN)
  return (
    <Stack gap="xs" align="flex-start">
      {first > 0 && (
        <Button variant="default" size="xs" onClick={() => setAll(true)}>
          {t('log.all', { count: lines.length })}
        </Button>
      )}
      <List type="ordered" listStyleType="none" size="sm" spacing={2} ff="monospace">
        {lines.slice(first).map(({ at, level, text }, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the same line may be there twice, and none moves
          <List.Item key={first + index} className="wrap-anywhere">
            <time dateTime={at} title={formatTimeExactly(at)}>
              {formatTimeToSecond(at)}
            </time>{' '}
            <Level level={level} /> <span lang="en">{text}</span>
          </List.Item>
        ))}
      </List>
    </Stack>
  )
}

/** How much a line matters: a word, and heavier where it does. */
function Level({ level }: { level: LogLine['level'] }) {
  const { t } = useTranslation()
  const word = t(`log.${level}`)
  if (level === 'INFO') return <span>{word}</span>
  return <b style={level === 'ERROR' ? { color: 'var(--mantine-color-error)' } : undefined}>{word}</b>
}
