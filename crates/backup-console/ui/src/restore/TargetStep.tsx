import { Alert, Checkbox, NumberInput, Radio, Stack, Text, TextInput } from '@mantine/core'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { RestoreMode } from '@/api/schema'
import { hasTarget, isSelective, type TargetProblem, targetProblems } from './draft'
import type { StepProps } from './step'
import { WizardButtons } from './WizardButtons'

/** Chooses where to, and whether what is there gives way. */
export function TargetStep({ config, draft, onChange, onGo }: StepProps) {
  const { t } = useTranslation('restore')
  const [isAsked, setIsAsked] = useState(false)
  const problems = targetProblems(draft)
  const said = (problem: TargetProblem | undefined) => isAsked && problem && t(`target.problem.${problem}`)
  const replaces = draft.mode === 'REPLACE'
  const next = () => {
    setIsAsked(true)
    if (Object.keys(problems).length === 0) onGo('plan')
  }
  return (
    <Stack maw={640}>
      {hasTarget(draft) ? (
        <>
          <Radio.Group
            label={t('target.mode')}
            value={draft.mode}
            onChange={mode => onChange({ mode: mode as RestoreMode })}
          >
            <Stack gap="xs" mt="xs">
              <Radio value="NEW" label={t('mode.NEW')} description={t('target.about.NEW')} />
              <Radio
                value="REPLACE"
                label={t('mode.REPLACE')}
                description={isSelective(draft) ? t('target.selective') : t('target.about.REPLACE')}
                disabled={isSelective(draft)}
              />
            </Stack>
          </Radio.Group>
          {draft.restoreDatabase && (
            <TextInput
              label={t('target.database')}
              description={replaces ? t('target.databaseConfigured') : t('target.databaseNew')}
              placeholder={replaces ? (config?.databaseName ?? '') : ''}
              required={!replaces}
              maxLength={63}
              value={draft.targetDatabase}
              error={said(problems.targetDatabase)}
              onChange={event => onChange({ targetDatabase: event.currentTarget.value })}
            />
          )}
          {draft.restoreFiles && (
            <TextInput
              label={t('target.dir')}
              description={replaces ? t('target.dirConfigured') : t('target.dirNew')}
              placeholder={replaces ? (config?.uploadDir ?? '') : '/'}
              required={!replaces}
              maxLength={4096}
              value={draft.targetDir}
              error={said(problems.targetDir)}
              onChange={event => onChange({ targetDir: event.currentTarget.value })}
            />
          )}
          {replaces && (
            <>
              <Checkbox
                label={t('target.safety')}
                description={t('target.safetyAbout')}
                checked={draft.safetyBackup}
                onChange={event => onChange({ safetyBackup: event.currentTarget.checked })}
              />
              {!draft.safetyBackup && <Alert color="yellow">{t('target.noSafety')}</Alert>}
              <NumberInput
                label={t('target.keep')}
                description={t('target.keepAbout')}
                min={1}
                max={720}
                allowDecimal={false}
                value={draft.keepOldHours}
                error={said(problems.keepOldHours)}
                onChange={hours => onChange({ keepOldHours: Number(hours) })}
                hideControls
              />
            </>
          )}
          {draft.restoreDatabase && (
            <Checkbox
              label={t('target.skipOwner')}
              description={t('target.skipOwnerAbout')}
              checked={draft.skipOwner}
              onChange={event => onChange({ skipOwner: event.currentTarget.checked })}
            />
          )}
        </>
      ) : (
        <Text>{t('target.configOnly')}</Text>
      )}
      <WizardButtons onBack={() => onGo('scope')} onNext={next} />
    </Stack>
  )
}
