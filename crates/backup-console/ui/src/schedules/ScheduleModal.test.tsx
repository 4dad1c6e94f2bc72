import { MantineProvider } from '@mantine/core'
import { fireEvent, render, screen, waitFor } from '@testing-library/react'
import i18next from 'i18next'
import { I18nextProvider, initReactI18next } from 'react-i18next'
import { beforeAll, expect, it, vi } from 'vitest'
import type { Schedule } from '@/api/schema'
import common from '@/i18n/zh-TW/common.json'
import schedules from '@/i18n/zh-TW/schedules.json'
import { valuesOf } from './form'
import ScheduleModal from './ScheduleModal'

const sent = vi.hoisted(() => [] as { body: unknown }[])
vi.mock('@/api/client', () => ({
  $api: {
    useMutation: () => ({
      mutate: (request: { body: unknown }) => sent.push(request),
      isPending: false,
      error: null,
    }),
  },
}))
// They ask the server, and nothing is changed in them here.
vi.mock('./SourceSettings', () => ({ SourceSettings: () => null }))
vi.mock('./CronExpressionInput', () => ({ CronExpressionInput: () => null }))
vi.mock('./RetentionSettings', () => ({ RetentionSettings: () => null }))
vi.mock('./VerifySettings', () => ({ VerifySettings: () => null }))

beforeAll(async () => {
  await i18next
    .use(initReactI18next)
    .init({ lng: 'zh-TW', resources: { 'zh-TW': { common, schedules } }, defaultNS: 'common' })
})

const schedule = {
  ...valuesOf(undefined),
  id: '01a21a8f-0000-7000-8000-000000000000',
  name: '每日完整備份',
} as unknown as Schedule

const modal = (of: Schedule) => (
  <I18nextProvider i18n={i18next}>
    <MantineProvider env="test">
      <ScheduleModal schedule={of} onClose={() => {}} />
    </MantineProvider>
  </I18nextProvider>
)

it('takes back nothing that somebody else changes while it is open', async () => {
  const { rerender } = render(modal(schedule))
  rerender(modal({ ...schedule, retentionDays: 90 }))
  fireEvent.click(screen.getByRole('switch', { name: schedules.modal.isEnabled }))
  fireEvent.click(screen.getByRole('button', { name: schedules.modal.save }))
  await waitFor(() => expect(sent).toHaveLength(1))
  expect(sent[0]?.body).toEqual({ isEnabled: false })
})
