import { expect, it } from 'vitest'
import { adminPage, expectAccessible, expectFits, LOOKS, picture, url } from './console'

const reason = '搬移儲存空間 <img src=x onerror=alert(1)>'

it('pauses the system for a reason, says so on every page until it is resumed, and what waited goes on', async () => {
  const page = await adminPage()
  const notice = page.locator('[data-paused]')
  await page.getByRole('button', { name: /的帳號$/ }).click()
  await page.getByRole('menuitem', { name: '暫停系統...' }).click()
  const dialog = page.getByRole('dialog', { name: '暫停系統...' })
  await dialog.getByRole('button', { name: '暫停', exact: true }).click()
  await dialog.getByText('請說明原因，最多 500 個字元。').waitFor()
  await dialog.getByRole('textbox', { name: '原因' }).fill(reason)
  await expectAccessible(page)
  await dialog.getByRole('button', { name: '暫停', exact: true }).click()
  await notice.getByText(reason).waitFor()

  const asked = await page.request.post(`${url}api/admin/backup`, { data: { source: 'CONFIG' } })
  const { backup } = await asked.json()
  for (const { scheme, size, viewport } of LOOKS) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.setViewportSize(viewport)
    await page.goto(`${url}backups`)
    await notice.getByText(reason).waitFor()
    await page.locator(`[data-backup="${backup.id}"]`).waitFor()
    await expectAccessible(page)
    await expectFits(page)
    await picture(page, `paused-${scheme}-${size}`)
  }
  await notice.getByRole('button', { name: '恢復運作' }).click()
  await notice.waitFor({ state: 'detached' })
  const one = `${url}api/admin/backup/${backup.id}`
  const status = async () => (await (await page.request.get(one)).json()).backup.status
  await expect.poll(status, { timeout: 60_000 }).toBe('COMPLETED')
})
