import { zodResolver } from '@hookform/resolvers/zod'
import { Button, Group, Modal, SimpleGrid, Stack, Switch } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { notifications } from '@mantine/notifications'
import { useState } from 'react'
import { Controller, FormProvider, useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { Schedule } from '@/api/schema'
import { FailureNotice, useFailureMessage } from '@/ui/FailureNotice'
import { failedField } from '@/ui/fieldFailure'
import { CronExpressionInput } from './CronExpressionInput'
import { changesOf, creationOf, type ScheduleValues, scheduleSchema, valuesOf } from './form'
import { RetentionSettings } from './RetentionSettings'
import { SourceSettings } from './SourceSettings'
import { refreshSchedules } from './useScheduleActions'
import { VerifySettings } from './VerifySettings'

interface Props {
  /** The one to change; without it a new one is made. */
  schedule?: Schedule
  onClose: () => void
}

export default function ScheduleModal({ schedule: shown, onClose }: Props) {
  // As it was when the dialog opened: what somebody else changes meanwhile was not changed here.
  const [schedule] = useState(shown)
  const { t } = useTranslation(['schedules', 'common'])
  const isPhone = useMediaQuery('(max-width: 48em)')
  const failureMessage = useFailureMessage()
  const form = useForm<ScheduleValues>({
    resolver: zodResolver(scheduleSchema),
    defaultValues: valuesOf(schedule),
  })
  const onError = (error: unknown) => {
    const field = failedField(error)
    if (field && field in form.getValues()) {
      form.setError(field as keyof ScheduleValues, { message: failureMessage(error) }, { shouldFocus: true })
    }
  }
  const onSuccess = () => {
    notifications.show({ message: schedule ? t('modal.saved') : t('modal.created'), color: 'green' })
    onClose()
    return refreshSchedules()
  }
  const create = $api.useMutation('post', '/api/admin/backup/schedule', { onSuccess, onError })
  const update = $api.useMutation('patch', '/api/admin/backup/schedule/{id}', { onSuccess, onError })
  const submit = form.handleSubmit(values => {
    if (schedule) {
      update.mutate({ params: { path: { id: schedule.id } }, body: changesOf(schedule, values) })
    } else {
      create.mutate({ body: creationOf(values) })
    }
  })
  const isPending = create.isPending || update.isPending
  return (
    <Modal
      opened
      onClose={onClose}
      size={960}
      fullScreen={isPhone}
      title={schedule ? t('modal.edit') : t('modal.create')}
    >
      <FormProvider {...form}>
        <form onSubmit={submit} noValidate>
          <Stack>
            <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xl">
              <Stack>
                <SourceSettings />
                <CronExpressionInput />
              </Stack>
              <Stack>
                <RetentionSettings schedule={schedule} />
                <VerifySettings />
              </Stack>
            </SimpleGrid>
            <FailureNotice
              error={create.error ?? update.error}
              title={schedule ? t('modal.saveFailed') : t('modal.createFailed')}
            />
            <Group justify="space-between">
              <Controller
                control={form.control}
                name="isEnabled"
                render={({ field: { value, ...field } }) => (
                  <Switch
                    {...field}
                    checked={value}
                    label={t('modal.isEnabled')}
                    withThumbIndicator={false}
                  />
                )}
              />
              <Group>
                <Button variant="default" onClick={onClose}>
                  {t('common:action.cancel')}
                </Button>
                <Button type="submit" disabled={isPending}>
                  {schedule
                    ? t(isPending ? 'modal.saving' : 'modal.save')
                    : t(isPending ? 'modal.submitting' : 'modal.submit')}
                </Button>
              </Group>
            </Group>
          </Stack>
        </form>
      </FormProvider>
    </Modal>
  )
}
