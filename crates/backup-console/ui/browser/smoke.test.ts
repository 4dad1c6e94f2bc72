import { execFileSync } from 'node:child_process'
import { createHash, scryptSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  adminPage,
  email,
  expectAccessible,
  expectReadable,
  logIn,
  newPage,
  passphrase,
  password,
  picture,
  url,
} from './console'

/** What tar lists of an archive that openssl opens, as the recovery sheet says. */
function openedByHand(file: string): string {
  const key = scryptSync(passphrase, 'backup-salt-v1', 32).toString('hex')
  const iv = readFileSync(file).subarray(0, 16).toString('hex')
  const line = 'tail -c +17 "$0" | openssl enc -d -aes-256-cbc -K "$1" -iv "$2" | tar tzf -'
  return execFileSync('sh', ['-c', line, file, key, iv], { encoding: 'utf8' })
}

it('refuses a wrong password with the words of the server, and lets the right one in', async () => {
  const page = await newPage()
  await page.goto(url)
  await page.getByRole('button', { name: '登入' }).waitFor()
  await expectAccessible(page)
  await picture(page, 'login')
  await page.getByRole('textbox', { name: '電子郵件' }).fill(email)
  await page.locator('input[name=password]').fill('wrong')
  await page.getByRole('button', { name: '登入' }).click()
  await page.getByRole('alert').waitFor()
  expect(await page.getByRole('alert').textContent()).toContain('登入失敗')

  await logIn(page, { email, password })
  await page.getByRole('heading', { level: 1, name: '數據備份管理' }).waitFor()
  for (const card of ['自動備份', '最近成功備份', '儲存空間使用', '下次排程備份']) {
    await page.getByRole('region', { name: card }).waitFor()
  }
  expect(await page.locator('[data-health]').getAttribute('data-health')).toBe('risk')
  await page.getByText('尚無任何成功的備份。').waitFor()
  // The guide moves down what stands below it, which a click must not fall into.
  await page.getByRole('region', { name: '開始使用：到第一個驗證過的備份' }).waitFor()
  await page.getByRole('link', { name: '新增排程' }).click()
  await page.getByRole('dialog', { name: '新增備份排程' }).waitFor()
})

it('makes a backup and shows it through to its end without being loaded again', async () => {
  const page = await adminPage()
  await page.locator('[data-live=live]').waitFor({ state: 'attached' })
  await page.getByRole('button', { name: '立即完整備份' }).click()
  await page.getByText('備份已開始，請查看備份列表追蹤進度').waitFor()
  await page.locator('[data-health=attention]').waitFor()
  await page.getByText('自動備份已停用，數據只能靠手動備份保護。').waitFor()
  await picture(page, 'overview')

  await page.getByRole('link', { name: '備份記錄' }).click()
  const row = page.locator('tr[data-backup]').first()
  await row.getByText('完成', { exact: true }).waitFor()
  for (const badge of ['完整備份', '完整系統', '手動觸發'])
    await row.getByText(badge, { exact: true }).waitFor()
  await page.getByRole('heading', { name: '備份記錄 (1)' }).waitFor()
  await picture(page, 'backups')
})

it('shows markup in a description as text, and finds it', async () => {
  const page = await adminPage()
  await page.goto(`${url}backups`)
  await page.getByRole('button', { name: '自訂備份' }).click()
  await page.getByRole('textbox', { name: '描述' }).fill('<img src=x onerror=alert(1)>')
  await page.getByRole('combobox', { name: '備份來源' }).last().selectOption('CONFIG')
  await page.getByRole('button', { name: '開始備份' }).click()
  const row = page.locator('tr[data-backup]', { hasText: '<img src=x onerror=alert(1)>' })
  await row.getByText('完成', { exact: true }).waitFor()

  await page.getByRole('searchbox').fill('ONERROR')
  await page.waitForURL(/q=ONERROR/)
  await page.getByRole('heading', { name: '備份記錄 (1)' }).waitFor()
  expect(await page.locator('tr[data-backup]').count()).toBe(1)
  await page.getByRole('button', { name: '清除篩選' }).click()
  await page.getByRole('heading', { name: '備份記錄 (2)' }).waitFor()
})

it('verifies, downloads, protects and deletes', async () => {
  const page = await adminPage()
  await page.goto(`${url}backups?source=CONFIG`)
  const row = page.locator('tr[data-backup]').first()
  const act = async (name: string) => {
    // The menu of the act before takes a moment to go; a click on it would be lost.
    await page.getByRole('menu').waitFor({ state: 'hidden' })
    await row.getByRole('button', { name: /的操作$/ }).click()
    await page.getByRole('menuitem', { name }).click()
    await page.getByRole('menu').waitFor({ state: 'hidden' })
  }
  await act('讀取並檢查全部內容')
  await row.getByText(/內容 驗證通過/).waitFor()

  const id = await row.getAttribute('data-backup')
  const [download] = await Promise.all([page.waitForEvent('download'), act('下載（加密）')])
  const { backup } = await (await page.request.get(`${url}api/admin/backup/${id}`)).json()
  expect(download.suggestedFilename()).toMatch(/\.tar\.gz\.enc$/)
  expect(
    createHash('sha256')
      .update(readFileSync(await download.path()))
      .digest('hex'),
  ).toBe(backup.checksum)
  expect(openedByHand(await download.path())).toContain('config.json')

  await act('保護')
  await row.getByRole('img', { name: /已保護/ }).waitFor()
  await act('取消保護')
  await row.getByRole('img', { name: /已保護/ }).waitFor({ state: 'detached' })

  await act('刪除備份')
  const dialog = page.getByRole('dialog', { name: '刪除備份' })
  await dialog.getByText('確定要刪除此備份嗎？此操作無法復原。').waitFor()
  await expectAccessible(page)
  await dialog.getByRole('button', { name: '刪除', exact: true }).click()
  await row.waitFor({ state: 'detached' })
})

it('shows who may only look no action', async () => {
  const admin = await adminPage()
  const viewer = { email: 'viewer@example.org', password: 'a password to look with' }
  const made = await admin.request.post(`${url}api/admin/users`, {
    data: { ...viewer, displayName: 'Viewer', role: 'VIEWER' },
  })
  expect(made.status(), await made.text()).toBeLessThan(300)
  const page = await newPage()
  await logIn(page, viewer)
  await page.locator('[data-health]').waitFor()
  expect(await page.getByRole('button', { name: '立即完整備份' }).count()).toBe(0)
  await page.getByRole('link', { name: '備份記錄' }).click()
  await page.locator('tr[data-backup]').first().waitFor()
  expect(await page.getByRole('button', { name: /的操作$/ }).count()).toBe(0)
})

it('asks whose log-in is over to log in, and comes back to where that was', async () => {
  const page = await adminPage()
  await page.goto(`${url}backups?sortBy=sizeBytes`)
  await page.locator('tr[data-backup]').first().waitFor()
  await page.context().clearCookies()
  await page.getByRole('combobox', { name: '狀態' }).selectOption('COMPLETED')
  await page.getByText('登入已逾時，請重新登入。').waitFor()
  await logIn(page)
  await page.waitForURL(/backups\?.*status=COMPLETED/)
  await page.locator('tr[data-backup]').first().waitFor()
})

it('is readable by everybody: two languages, light and dark, phone and desktop', async () => {
  const page = await adminPage({ colorScheme: 'light' })
  await page.getByRole('button', { name: '語言' }).click()
  await page.getByRole('menuitem', { name: 'English' }).click()
  await page.getByRole('heading', { level: 1, name: 'Backup management' }).waitFor()
  await expectReadable(page, 'overview', '', '[data-health]')
  await expectReadable(page, 'backups', 'backups', 'tr[data-backup]')
})
