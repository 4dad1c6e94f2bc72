import { expect, it } from 'vitest'
import { logIn, newPage, url } from './console'

it('comes back to a deep address below the prefix, and stays there', async () => {
  const page = await newPage()
  await page.goto(`${url}backups?page=1&sortBy=sizeBytes`)
  await page.waitForURL(/\/ops\/backup\/login\?/)
  await logIn(page)
  await page.waitForURL(/\/ops\/backup\/backups\?.*sortBy=sizeBytes/)
  await page.getByText('尚無備份記錄。').waitFor()
  await page.locator('[data-live=live]').waitFor({ state: 'attached' })
  await page.getByRole('link', { name: '總覽' }).click()
  await page.getByRole('heading', { level: 1, name: '數據備份管理' }).waitFor()
  expect(page.url()).toBe(url)
  await page.reload()
  await page.getByRole('heading', { level: 1, name: '數據備份管理' }).waitFor()
})
