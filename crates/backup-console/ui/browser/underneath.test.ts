import { expect, it } from 'vitest'
import { adminPage, ask, logIn, url } from './console'

it('cancels a backup while it runs', async () => {
  const page = await adminPage()
  await page.locator('[data-live=live]').waitFor({ state: 'attached' })
  await ask('slow')
  await page.goto(`${url}backups`)
  await page.getByRole('button', { name: '僅備份數據庫' }).click()
  const row = page.locator('tr[data-backup]').first()
  await row.getByRole('progressbar').waitFor()
  await row.getByRole('button', { name: /的操作$/ }).click()
  await page.getByRole('menuitem', { name: '取消備份' }).click()
  const dialog = page.getByRole('dialog', { name: '取消備份' })
  await dialog.getByText('確定要取消此備份嗎？已上傳的部分會移除。').waitFor()
  await dialog.getByRole('button', { name: '取消備份' }).click()
  await row.getByText('已取消', { exact: true }).waitFor()
  await ask('fast')
})

it('outlives a restart of the server: it says so, and of when what it shows is, comes back by itself, and nobody logs in again', async () => {
  const page = await adminPage()
  await page.goto(`${url}backups`)
  await page.locator('[data-live=live]').waitFor({ state: 'attached' })
  const before = await page.locator('tr[data-backup]').count()
  await ask('stop')
  const away = page.getByText(/^伺服器沒有正常回應，目前顯示的是 .+ 的狀態。$/)
  await away.waitFor()
  expect(await page.getByText('目前無法即時更新', { exact: false }).count()).toBe(0)
  await ask('start')
  await page.locator('[data-live=live]').waitFor({ state: 'attached' })
  await away.waitFor({ state: 'detached' })
  // Asked for elsewhere, with the cookie of before.
  const made = await page.request.post(`${url}api/admin/backup`, { data: { source: 'CONFIG' } })
  expect(made.status()).toBe(202)
  await expect.poll(() => page.locator('tr[data-backup]').count()).toBe(before + 1)
  await page.locator('tr[data-backup]').first().getByText('完成', { exact: true }).waitFor()
})

it('asks to log in by itself once the log-in is over, and leads back', async () => {
  const page = await adminPage()
  await page.goto(`${url}backups?sortBy=sizeBytes`)
  await page.locator('[data-live=live]').waitFor({ state: 'attached' })
  await ask('expire')
  await page.getByText('登入已逾時，請重新登入。').waitFor()
  await logIn(page)
  await page.waitForURL(/backups\?.*sortBy=sizeBytes/)
  await page.locator('tr[data-backup]').first().waitFor()
})
