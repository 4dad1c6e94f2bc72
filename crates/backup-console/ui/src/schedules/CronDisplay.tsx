import { Code, Group, Text } from '@mantine/core'
import type { Schedule } from '@/api/schema'

/** When a schedule fires: in words, as the expression, and in which time zone. */
export function CronDisplay({ schedule }: { schedule: Schedule }) {
  return (
    <>
      {schedule.cronDescription && (
        <Text size="sm" span fw={500}>
          {schedule.cronDescription}
        </Text>
      )}
      <Group gap={6} component="span">
        <Code>{schedule.cronExpression}</Code>
        <Text size="xs" span>
          {schedule.timezone}
        </Text>
      </Group>
    </>
  )
}
