import { expect, it } from 'vitest'
import { adminPage, expectAccessible, expectReadable, url } from './console'

it('is readable by everybody', async () => {
  await expectReadable(await adminPage({ colorScheme: 'light' }), 'orphans', 'orphans', 'tr[data-orphan]')
})

it('adopts one backup, removes another, and leads to the one whose file is gone', async () => {
  const page = await adminPage()
  await page.getByRole('link', { name: '孤立檔案' }).click()
  const unlisted = page.locator('tr[data-orphan=UNLISTED]')
  await unlisted.nth(1).waitFor()
  expect(await unlisted.count()).toBe(2)
  await unlisted.first().getByRole('button', { name: /^納入/ }).click()
  await page.getByText(/^已納入 /).waitFor()
  await expect.poll(() => unlisted.count()).toBe(1)

  await unlisted.getByRole('button', { name: /^移除/ }).click()
  const dialog = page.getByRole('dialog', { name: '移除' })
  await dialog.getByText('確定要從儲存空間移除此備份檔案嗎？此操作無法復原。').waitFor()
  await expectAccessible(page)
  await dialog.getByRole('button', { name: '移除' }).click()
  await unlisted.waitFor({ state: 'detached' })

  await page.locator('tr[data-orphan=DAMAGED]').getByRole('link', { name: '查看備份' }).click()
  await page.getByRole('button', { name: /的操作$/ }).click()
  await page.getByRole('menuitem', { name: '刪除備份' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '刪除', exact: true }).click()
  await page.waitForURL(`${url}backups`)
  await page.getByRole('link', { name: '孤立檔案' }).click()
  await page.getByText('備份記錄與儲存空間一致，沒有孤立的備份檔案。').waitFor()
})
