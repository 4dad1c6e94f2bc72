import { Button, Group, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Replacement, Restore } from '@/api/schema'
import { useCan } from '@/session/me'
import { Fact, Facts } from '@/ui/Facts'
import { TimeDisplay } from '@/ui/TimeDisplay'
import { ConfirmRestoreModal, RollBackModal } from './EndRestoreModals'

interface Props {
  restore: Restore
  replacement: Replacement
}

/** What became of what gave way; while it is kept, the two ways on. */
export function ReplacementState({ restore, replacement }: Props) {
  const { t } = useTranslation('restore')
  const can = useCan()
  const [asks, setAsks] = useState<'confirm' | 'rollBack' | null>(null)
  const { stage, oldDatabase, oldDir, keptUntil } = replacement
  const isKept = stage === 'KEPT' && restore.status === 'COMPLETED' && restore.action === 'RESTORE'
  const close = () => setAsks(null)
  return (
    <Stack gap="sm" data-stage={stage}>
      <Text size="sm">{t(`replacement.stage.${stage}`)}</Text>
      {stage === 'KEPT' && (
        <Facts>
          {oldDatabase && <Fact name={t('replacement.oldDatabase')}>{oldDatabase}</Fact>}
          {oldDir && <Fact name={t('replacement.oldDir')}>{oldDir}</Fact>}
          {keptUntil && (
            <Fact name={t('replacement.keptUntil')}>
              <TimeDisplay at={keptUntil} /> (<TimeDisplay at={keptUntil} distance />)
            </Fact>
          )}
        </Facts>
      )}
      {isKept && can('ADMIN') && (
        <Group>
          <Button onClick={() => setAsks('confirm')}>{t('confirm.action')}</Button>
          <Button variant="default" onClick={() => setAsks('rollBack')}>
            {t('rollBack.action')}
          </Button>
        </Group>
      )}
      {asks === 'confirm' && <ConfirmRestoreModal restore={restore} onClose={close} />}
      {asks === 'rollBack' && <RollBackModal restore={restore} onClose={close} />}
    </Stack>
  )
}
