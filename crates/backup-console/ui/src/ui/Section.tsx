import { Card, Group, Title } from '@mantine/core'
import { type ReactNode, useId } from 'react'
import { Boundary } from './Boundary'

interface Props {
  title: string
  /** What can be done with the whole of it. */
  actions?: ReactNode
  children: ReactNode
}

/** A part of a page with a heading, which loads and fails on its own. */
export function Section({ title, actions, children }: Props) {
  const id = useId()
  return (
    <Card component="section" withBorder padding="md" aria-labelledby={id}>
      <Group justify="space-between" mb="sm">
        <Title order={2} size="h5" id={id}>
          {title}
        </Title>
        {actions}
      </Group>
      <Boundary>{children}</Boundary>
    </Card>
  )
}
