import { MantineProvider } from '@mantine/core'
import { render, screen } from '@testing-library/react'
import i18next from 'i18next'
import { I18nextProvider, initReactI18next } from 'react-i18next'
import { beforeAll, expect, it } from 'vitest'
import { Failure, failureOf } from '@/api/failure'
import common from '@/i18n/zh-TW/common.json'
import { FailureNotice } from './FailureNotice'

beforeAll(async () => {
  await i18next
    .use(initReactI18next)
    .init({ lng: 'zh-TW', resources: { 'zh-TW': { common } }, defaultNS: 'common' })
})

const show = (error: unknown) =>
  render(
    <I18nextProvider i18n={i18next}>
      <MantineProvider>
        <FailureNotice error={error} />
      </MantineProvider>
    </I18nextProvider>,
  )

it("shows the server's sentence as text, whatever is in it", () => {
  show(new Failure(409, { error: '<img src=x onerror=alert(1)> 無法刪除', code: 'backup_protected' }, 'r-1'))
  expect(screen.getByRole('alert').textContent).toContain('<img src=x onerror=alert(1)> 無法刪除')
  expect(document.querySelector('img')).toBeNull()
})

it('says something where the server did not', async () => {
  show(
    await failureOf(
      new Response('<html>bad gateway</html>', { status: 502, headers: { 'x-request-id': 'r-2' } }),
    ),
  )
  expect(screen.getByRole('alert').textContent).toMatch(/502.*r-2/)
  show(new Failure(0, {}, null))
  expect(screen.getAllByRole('alert').at(-1)?.textContent).toBe('無法連線到伺服器，請檢查網路。')
})
