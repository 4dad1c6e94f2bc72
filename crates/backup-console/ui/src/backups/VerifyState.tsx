import { Group, Text } from '@mantine/core'
import { IconCircleCheck, IconCircleDashed, IconCircleX } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { Backup } from '@/api/schema'
import { formatTime } from '@/i18n/format'

/** What the last verification of a backup found. */
export function VerifyState({ backup }: { backup: Backup }) {
  const { t } = useTranslation(['backups', 'common'])
  const { verifiedAt, verifyLevel, verifyError } = backup
  const [Icon, color, text] = verifyError
    ? ([IconCircleX, 'var(--mantine-color-error)', t('verify.failed', { reason: verifyError })] as const)
    : verifiedAt && verifyLevel
      ? ([
          IconCircleCheck,
          'var(--mantine-color-green-text)',
          t('verify.passed', { level: t(`common:verifyLevel.${verifyLevel}`), time: formatTime(verifiedAt) }),
        ] as const)
      : ([IconCircleDashed, undefined, t('verify.never')] as const)
  return (
    <Group gap={4} wrap="nowrap" align="flex-start">
      <Icon size={16} color={color} aria-hidden style={{ flexShrink: 0 }} />
      <Text size="xs" className="wrap-anywhere" lineClamp={3} title={text}>
        {text}
      </Text>
    </Group>
  )
}
