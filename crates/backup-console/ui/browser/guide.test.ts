import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { adminPage, expectReadable, logIn, newPage, url } from './console'

const step = (page: Page, name: string) => page.locator(`[data-step=${name}]`)
const done = (page: Page, name: string) => page.locator(`[data-step=${name}][data-done=true]`).waitFor()

it('is readable by everybody', async () => {
  await expectReadable(await adminPage({ colorScheme: 'light' }), 'guide', '', '[data-guide="0"]')
})

it('leads from nothing to a verified backup that is made again by itself, and then is no more', async () => {
  const page = await adminPage()
  const guide = page.getByRole('region', { name: '開始使用：到第一個驗證過的備份' })
  await guide.getByText('已完成 0 / 8').waitFor()
  for (const [name, button] of [
    ['database', '測試連線'],
    ['folder', '測試資料夾'],
    ['storage', '測試連線'],
  ] as const) {
    await step(page, name).getByRole('button', { name: button }).click()
    await done(page, name)
  }
  await step(page, 'key').getByRole('link', { name: '列印復原資料表' }).click()
  await page.getByRole('heading', { level: 1, name: '復原資料表' }).waitFor()
  await page.goBack()
  await step(page, 'key').getByRole('checkbox', { name: '密碼短語與復原資料表已保存在別處' }).click()
  await done(page, 'key')

  await step(page, 'backup').getByRole('button', { name: '開始第一個備份' }).click()
  await done(page, 'backup')
  await step(page, 'verify').getByRole('button', { name: '執行恢復演練' }).click()
  await done(page, 'verify')

  await step(page, 'schedule').getByRole('link', { name: '新增排程' }).click()
  const dialog = page.getByRole('dialog', { name: '新增備份排程' })
  await dialog.getByRole('textbox', { name: '排程名稱' }).fill('每天')
  await dialog.getByRole('button', { name: '建立排程' }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByRole('link', { name: '總覽' }).click()
  await done(page, 'schedule')

  await step(page, 'notification').getByRole('link', { name: '前往設定' }).click()
  await page.getByRole('combobox', { name: '通知郵件列表' }).fill('ops@example.org')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: '儲存', exact: true }).click()
  await page.getByText('設定已儲存，從下一次備份開始生效').waitFor()
  await page.getByRole('link', { name: '總覽' }).click()
  await guide.getByText('已完成 8 / 8').waitFor()
  await guide.getByText('全部完成', { exact: false }).waitFor()
  await guide.getByRole('button', { name: '關閉' }).click()
  await guide.waitFor({ state: 'detached' })
  await page.reload()
  await page.locator('[data-health]').waitFor()
  expect(await guide.count()).toBe(0)
})

it('says what does not work, and is there for nobody who may only look or has put it away', async () => {
  const page = await adminPage()
  await page.locator('[data-health]').waitFor()
  // Whoever comes to a system that works is not led through it.
  expect(await page.locator('[data-guide]').count()).toBe(0)
  const viewer = { email: 'guide-viewer@example.org', password: 'a password to look with' }
  await page.request.post(`${url}api/admin/users`, { data: { ...viewer, role: 'VIEWER' } })
  await page.evaluate(() => localStorage.setItem('backup-guide', '{"state":"open"}'))
  await page.request.patch(`${url}api/admin/backup/config`, { data: { uploadDir: '/there/is/none' } })
  await page.reload()
  const folder = step(page, 'folder')
  await folder.getByRole('button').first().click()
  await folder.getByRole('button', { name: '測試資料夾' }).click()
  await folder.getByRole('alert').getByText('/there/is/none').waitFor()
  await page.getByRole('button', { name: '不再顯示' }).click()
  await page.reload()
  await page.locator('[data-health]').waitFor()
  expect(await page.locator('[data-guide]').count()).toBe(0)

  const theirs = await newPage()
  await logIn(theirs, viewer)
  await theirs.evaluate(() => localStorage.setItem('backup-guide', '{"state":"open"}'))
  await theirs.reload()
  await theirs.locator('[data-health]').waitFor()
  expect(await theirs.locator('[data-guide]').count()).toBe(0)
})
