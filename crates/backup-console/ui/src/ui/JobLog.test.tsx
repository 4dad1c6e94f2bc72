import { MantineProvider } from '@mantine/core'
import { fireEvent, render, screen } from '@testing-library/react'
import i18next from 'i18next'
import { I18nextProvider, initReactI18next } from 'react-i18next'
import { beforeAll, expect, it } from 'vitest'
import type { LogLine } from '@/api/schema'
import { formatTimeToSecond } from '@/i18n/format'
import common from '@/i18n/zh-TW/common.json'
import { JobLog } from './JobLog'

beforeAll(async () => {
  await i18next
    .use(initReactI18next)
    .init({ lng: 'zh-TW', resources: { 'zh-TW': { common } }, defaultNS: 'common' })
})

const AT = '2026-11-24T00:00:01Z'

const show = (lines: LogLine[]) =>
  render(
    <I18nextProvider i18n={i18next}>
      <MantineProvider>
        <JobLog lines={lines} />
      </MantineProvider>
    </I18nextProvider>,
  )

const shown = () => screen.getAllByRole('listitem').map(item => item.textContent ?? '')

it("shows each line with the viewer's time and a word for its level, as text, whatever is in it", () => {
  show([
    { at: AT, level: 'INFO', text: 'worker-1 takes the job up' },
    { at: AT, level: 'WARNING', text: '<img src=x onerror=alert(1)>: changed' },
    { at: AT, level: 'ERROR', text: 'FAILED: no space' },
  ])
  const time = formatTimeToSecond(AT)
  expect(shown()).toEqual([
    `${time} 資訊 worker-1 takes the job up`,
    `${time} 警告 <img src=x onerror=alert(1)>: changed`,
    `${time} 錯誤 FAILED: no space`,
  ])
  expect(document.querySelector('img')).toBeNull()
  expect(document.querySelector('time')?.dateTime).toBe(AT)
  expect(screen.queryByRole('button')).toBeNull()
})

it('shows the last lines of many, and all when asked to', () => {
  show(Array.from({ length: 300 }, (_, i): LogLine => ({ at: AT, level: 'INFO', text: `line ${i}.` })))
  expect(shown()).toHaveLength(100)
  expect(shown()[0]).toContain('line 200.')
  fireEvent.click(screen.getByRole('button', { name: '顯示全部 300 行' }))
  expect(shown()).toHaveLength(300)
  expect(shown()[0]).toContain('line 0.')
  expect(screen.queryByRole('button')).toBeNull()
})
