import { Group, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'

interface Props {
  title: string
  /** Shown instead of the title where it has more to say, such as a number. */
  heading?: ReactNode
  children?: ReactNode
}

/** The heading of a page, which names the browser's tab too, and what can be done there. */
export function PageHeader({ title, heading = title, children }: Props) {
  const { t } = useTranslation()
  const whole = t('title')
  useEffect(() => {
    document.title = title === whole ? whole : `${title} · ${whole}`
  }, [title, whole])
  return (
    <Group justify="space-between" gap="sm">
      <Title order={1} size="h3">
        {heading}
      </Title>
      {children}
    </Group>
  )
}
