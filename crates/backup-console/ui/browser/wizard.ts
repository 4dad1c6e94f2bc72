import type { Page } from 'playwright-core'
import { url } from './console'

/** The newest good backup of everything that somebody asked for, as the server shows it. */
export async function newestBackup(page: Page) {
  const query = 'status=COMPLETED&source=FULL_SYSTEM&trigger=MANUAL&limit=1'
  const { backups } = await (await page.request.get(`${url}api/admin/backup?${query}`)).json()
  return backups[0] as { id: string; name: string; checksum: string }
}

/** What is backed up, as the server shows it. */
export async function defaultConfig(page: Page) {
  const { configs } = await (await page.request.get(`${url}api/admin/backup/configs`)).json()
  return configs[0] as { databaseName: string; uploadDir: string }
}

/** On to the next step. */
export async function next(page: Page): Promise<void> {
  await page.getByRole('button', { name: '下一步' }).click()
}

/** Opens the wizard for the newest backup, goes through it in mode REPLACE, and waits until the restored state is in use. */
export async function replaceByWizard(page: Page): Promise<void> {
  const backup = await newestBackup(page)
  const { databaseName } = await defaultConfig(page)
  await page.goto(`${url}restores`)
  await page.getByRole('link', { name: '恢復備份' }).click()
  await page.getByRole('radio', { name: backup.name }).click()
  await next(page)
  await page.getByRole('checkbox', { name: /^數據庫/ }).waitFor()
  await next(page)
  await page.getByRole('radio', { name: '取代現有數據' }).check()
  await next(page)
  await page.getByText('可以恢復，未發現問題。').waitFor()
  await page.getByText('會先建立恢復前自動備份。').waitFor()
  const start = page.getByRole('button', { name: '取代並恢復' })
  const confirmation = page.getByRole('textbox', { name: `請輸入「${databaseName}」以確認` })
  await confirmation.fill(databaseName.slice(1))
  if (await start.isEnabled()) throw new Error('a wrong name starts a restore')
  await confirmation.fill(databaseName)
  await start.click()
  await page.locator('[data-restore-status=COMPLETED]').waitFor()
  await page.locator('[data-stage=KEPT]').waitFor()
}
