import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { adminPage, expectReadable, logIn, newPage, url } from './console'

it('tells who did what, narrowed to what is looked for, and gives it away', async () => {
  const page = await adminPage()
  // More than a page of them.
  for (let count = 0; count < 51; count += 1) {
    await page.request.post(`${url}api/admin/backup/config/test`, { data: { what: 'STORAGE' } })
  }
  await page.getByRole('link', { name: '稽核日誌' }).click()
  await page.locator('tr[data-audit=CONFIG_TEST]').first().waitFor()
  expect(await page.locator('tr[data-audit]').count()).toBe(50)
  await page.getByRole('combobox', { name: '動作' }).selectOption('測試備份配置')
  await page.waitForURL(/action=CONFIG_TEST/)
  await page.getByRole('navigation', { name: '分頁' }).getByRole('button', { name: '分頁 2' }).click()
  await page.waitForURL(/page=2/)
  const tests = await page.request.get(`${url}api/admin/audit?action=CONFIG_TEST&limit=1`)
  const { total } = await tests.json()
  await expect.poll(() => page.locator('tr[data-audit]').count()).toBe(Math.min(total - 50, 50))

  await page.getByRole('combobox', { name: '動作' }).selectOption('登入')
  await page.locator('tr[data-audit=LOGIN]').first().waitFor()
  await expect.poll(() => page.locator('tr[data-audit=CONFIG_TEST]').count()).toBe(0)
  await page.getByRole('button', { name: /^只看/ }).first().click()
  await page.waitForURL(/resourceId=/)

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: '匯出篩選結果' }).click(),
  ])
  const lines = readFileSync(await download.path(), 'utf8')
    .trim()
    .split('\n')
  for (const line of lines) expect(JSON.parse(line).action).toBe('LOGIN')

  await page.getByRole('button', { name: '清除篩選' }).click()
  await page.locator('tr[data-audit=AUDIT_EXPORT]').first().waitFor()

  await page.goto(`${url}audit?from=2001-01-01&to=2001-01-02`)
  await page.getByText('沒有符合條件的記錄。').waitFor()
})

it('is not offered to who may not read it, and says so where they come by its address', async () => {
  const admin = await adminPage()
  const viewer = { email: 'audit-viewer@example.org', password: 'a password to look with' }
  await admin.request.post(`${url}api/admin/users`, { data: { ...viewer, role: 'VIEWER' } })
  const page = await newPage()
  await logIn(page, viewer)
  expect(await page.getByRole('link', { name: '稽核日誌' }).count()).toBe(0)
  await page.goto(`${url}audit`)
  await page.getByRole('alert').getByText('權限不足').first().waitFor()
})

it('is readable by everybody', async () => {
  const page = await adminPage({ colorScheme: 'light' })
  await expectReadable(page, 'audit', 'audit', 'tr[data-audit]')
})
