import { Stack, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

interface Props {
  title: string
  /** What the picture says, in a sentence: also for who does not see it. */
  summary: string
  isEmpty: boolean
  children: ReactNode
}

/** A chart with its title and what it says. */
export function Figure({ title, summary, isEmpty, children }: Props) {
  const { t } = useTranslation('charts')
  return (
    <Stack component="figure" gap="xs" m={0} miw={0}>
      <Title order={3} size="h6">
        {title}
      </Title>
      <Text component="figcaption" size="sm">
        {summary}
      </Text>
      {isEmpty ? (
        <Text size="sm">{t('empty')}</Text>
      ) : (
        <div role="img" aria-label={`${title}: ${summary}`}>
          {children}
        </div>
      )}
    </Stack>
  )
}
