import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import i18next from 'i18next'
import { I18nextProvider, initReactI18next } from 'react-i18next'
import { beforeAll, expect, it, vi } from 'vitest'
import { Failure } from '@/api/failure'
import type { LiveState } from '@/api/live/connection'
import { formatTime } from '@/i18n/format'
import common from '@/i18n/zh-TW/common.json'
import { LiveNotice } from './LiveNotice'

const live = vi.hoisted(() => ({ state: 'live' as LiveState }))
vi.mock('@/api/live/useLive', () => ({ useLive: () => live.state }))

const KEY = ['get', '/api/admin/backup/status']

beforeAll(async () => {
  await i18next
    .use(initReactI18next)
    .init({ lng: 'zh-TW', resources: { 'zh-TW': { common } }, defaultNS: 'common' })
})

/** What is said where the server answered at `asOf`, and with `error` since. */
function said(state: LiveState, asOf: number, error: Failure | null = null): string {
  live.state = state
  const client = new QueryClient({
    defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, gcTime: Number.POSITIVE_INFINITY } },
  })
  client.setQueryData(KEY, {}, { updatedAt: asOf })
  if (error) client.getQueryCache().find({ queryKey: KEY })?.setState({ status: 'error', error })
  render(
    <I18nextProvider i18n={i18next}>
      <MantineProvider>
        <QueryClientProvider client={client}>
          <LiveNotice />
        </QueryClientProvider>
      </MantineProvider>
    </I18nextProvider>,
  )
  return screen.queryByRole('alert')?.textContent ?? ''
}

it('says nothing where what is shown is current', () => {
  expect(said('live', Date.now())).toBe('')
})

it('says that it asks where nothing comes by itself', () => {
  expect(said('polling', Date.now())).toBe(common.live.polling)
})

it.each(['live', 'polling'] as const)('says of when what it shows is where the server refuses: %s', state => {
  const asOf = Date.now()
  const notice = said(state, asOf, new Failure(503, { error: '目錄資料庫無法使用' }, null))
  expect(notice).toContain(formatTime(new Date(asOf).toISOString()))
  expect(notice).toContain('目錄資料庫無法使用')
  expect(notice).not.toContain(common.live.polling)
})

it('takes a long silence for no answer', () => {
  const asOf = Date.now() - 150_000
  const notice = said('live', asOf)
  expect(notice).toContain(formatTime(new Date(asOf).toISOString()))
  expect(notice).toContain(common.failure.unreachable)
})
