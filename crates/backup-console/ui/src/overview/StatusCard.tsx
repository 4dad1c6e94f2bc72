import { Card, Group, type MantineColor, Progress, Stack, Text, ThemeIcon } from '@mantine/core'
import type { IconShieldCheck } from '@tabler/icons-react'
import type { ReactNode } from 'react'

interface Props {
  title: string
  value: ReactNode
  subtitle?: ReactNode
  Icon: typeof IconShieldCheck
  color: MantineColor
  /** Percent of what may be used; may exceed 100. */
  progress?: number | null
}

/** One figure of the overview. */
export function StatusCard({ title, value, subtitle, Icon, color, progress }: Props) {
  return (
    <Card component="section" aria-label={title} withBorder padding="md">
      <Group align="flex-start" wrap="nowrap">
        <ThemeIcon variant="transparent" color={color} size="lg">
          <Icon size={20} aria-hidden />
        </ThemeIcon>
        <Stack gap={2} flex={1} miw={0}>
          <Text size="sm">{title}</Text>
          <Text fw={600}>{value}</Text>
          {subtitle && <Text size="sm">{subtitle}</Text>}
          {typeof progress === 'number' && (
            <Progress.Root mt="xs">
              <Progress.Section
                value={Math.min(progress, 100)}
                color={usageColor(progress)}
                aria-label={title}
              />
            </Progress.Root>
          )}
        </Stack>
      </Group>
    </Card>
  )
}

/** How a share of the storage is shown: above 60 % as a warning, above 80 % as too much. */
export function usageColor(percent: number): MantineColor {
  return percent > 80 ? 'red' : percent > 60 ? 'yellow' : 'green'
}
