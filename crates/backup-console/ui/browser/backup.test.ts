import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { adminPage, expectAccessible, expectFits, expectReadable, picture, url } from './console'
import { newestBackup, next } from './wizard'

it('shows one backup whole, verifies it, and says so when that is over', async () => {
  const page = await adminPage()
  const backup = await newestBackup(page)
  await page.goto(`${url}backups`)
  await page.getByRole('link', { name: backup.name }).click()
  await page.getByRole('heading', { level: 1, name: backup.name }).waitFor()
  await page.getByText(backup.checksum).waitFor()
  await page.getByText('此備份獨立完整，恢復時不需要其他備份。').waitFor()
  await page.locator('[data-live=live]').waitFor({ state: 'attached' })
  await page.getByRole('button', { name: '讀取並檢查全部內容' }).click()
  await page.getByText('驗證進行中，結果會顯示在這裡。').waitFor()
  await page.getByText(/內容 驗證通過/).waitFor()
  await page.getByText('驗證進行中，結果會顯示在這裡。').waitFor({ state: 'detached' })
  await page.getByRole('table', { name: '驗證紀錄' }).waitFor()
})

it('looks into a backup: names are text, folders come page by page, and one file is fetched as it was', async () => {
  const page = await adminPage()
  const backup = await newestBackup(page)
  await page.goto(`${url}backups/${backup.id}`)
  await page.getByRole('link', { name: '瀏覽內容' }).click()
  await page.getByRole('link', { name: 'files', exact: true }).click()
  await page.getByText('<img src=x onerror=alert(1)>.txt').waitFor()
  await page.getByText('\\xff\\xfeodd').waitFor()
  await expectAccessible(page)
  await picture(page, 'archive')

  await page.getByRole('link', { name: 'many' }).click()
  await page.locator('tr[data-entry]').nth(99).waitFor()
  expect(await page.locator('tr[data-entry]').count()).toBe(100)
  await page.getByRole('button', { name: '顯示更多' }).click()
  await page.locator('tr[data-entry]').nth(100).waitFor()
  const name = await page.locator('tr[data-entry]').nth(100).getAttribute('data-entry')
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.locator('tr[data-entry]').nth(100).getByRole('button').click(),
  ])
  expect(name).toBe(`files/many/${download.suggestedFilename()}`)
  expect(readFileSync(await download.path(), 'utf8').trim()).toBe(
    String(Number.parseInt(download.suggestedFilename(), 10)),
  )
  await page.goBack()
  await page.getByText('\\xff\\xfeodd').waitFor()
})

it('gives the plain archive, protects, and leaves a backup that is deleted for the list', async () => {
  const page = await adminPage()
  const made = await page.request.post(`${url}api/admin/backup`, { data: { source: 'CONFIG' } })
  const { backup } = await made.json()
  await page.goto(`${url}backups/${backup.id}`)
  await page
    .getByText('備份完成')
    .or(page.getByText('完成', { exact: true }))
    .first()
    .waitFor()
  const act = async (name: string) => {
    await page.getByRole('button', { name: /的操作$/ }).click()
    await page.getByRole('menuitem', { name, exact: true }).click()
  }
  const [download] = await Promise.all([page.waitForEvent('download'), act('下載（解密）')])
  expect(readFileSync(await download.path()).subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]))
  await act('保護')
  await page.getByText('已保護').waitFor()
  await act('取消保護')
  await page.getByText('已保護').waitFor({ state: 'detached' })
  await act('刪除備份')
  await page.getByRole('dialog').getByRole('button', { name: '刪除', exact: true }).click()
  await page.waitForURL(`${url}backups`)
  await page.getByText(backup.name).waitFor({ state: 'detached' })
})

it('says what the server says of what is not there', async () => {
  const page = await adminPage()
  const backup = await newestBackup(page)
  await page.goto(`${url}backups/${backup.id}/contents?path=files/nowhere`)
  await page.getByRole('alert').waitFor()
  await page.goto(`${url}backups/00000000-0000-7000-8000-000000000000`)
  await page.getByRole('alert').waitFor()
  await expectAccessible(page)
})

it('is readable by everybody: light and dark, phone and desktop', async () => {
  const page = await adminPage({ colorScheme: 'light' })
  const backup = await newestBackup(page)
  await expectReadable(page, 'backup', `backups/${backup.id}`, 'dl')
  await expectReadable(page, 'archive', `backups/${backup.id}/contents?path=files`, 'tr[data-entry]')
})

it('makes a full backup of one that builds on another, and says what it is of', async () => {
  const page = await adminPage()
  const make = async (type: string) => {
    const made = await page.request.post(`${url}api/admin/backup`, { data: { type, source: 'FILES' } })
    const { backup } = await made.json()
    const state = async () =>
      (await (await page.request.get(`${url}api/admin/backup/${backup.id}`)).json()).backup.status
    await expect.poll(state, { timeout: 60_000 }).toBe('COMPLETED')
    return backup as { id: string; name: string }
  }
  await make('FULL')
  const dependent = await make('INCREMENTAL')
  await page.goto(`${url}backups/${dependent.id}`)
  await page.getByRole('button', { name: /的操作$/ }).click()
  await page.getByRole('menuitem', { name: '合成完整備份' }).click()
  const dialog = page.getByRole('dialog', { name: '合成完整備份' })
  await dialog.getByText(/直接在儲存空間合成一個新的完整備份/).waitFor()
  await expectAccessible(page)
  await picture(page, 'consolidate')
  await dialog.getByRole('button', { name: '合成', exact: true }).click()
  await page.getByText('已開始合成完整備份', { exact: false }).waitFor()
  await dialog.waitFor({ state: 'detached' })

  await page.goto(`${url}backups`)
  const row = page.locator('tr[data-backup]', {
    has: page.getByRole('img', { name: '由備份鏈合成：內容與另一個備份相同' }),
  })
  await row.getByText('完成', { exact: true }).waitFor({ timeout: 60_000 })
  await row.getByRole('link').first().click()
  await page.getByText('由此備份合成，內容相同；該備份可能已不存在：').waitFor()
  await page.getByRole('link', { name: dependent.id }).waitFor()
  await page.getByText('此備份獨立完整，恢復時不需要其他備份。').waitFor()
  await expectAccessible(page)
  await expectFits(page)
})

it('says whose a backup is once there are several configurations', async () => {
  const page = await adminPage()
  const made = await page.request.patch(`${url}api/admin/backup/config?key=shop`, { data: {} })
  expect(made.status(), await made.text()).toBeLessThan(300)
  await page.goto(`${url}backups`)
  await page.getByRole('button', { name: '立即完整備份（default）' }).waitFor()
  await page.getByRole('button', { name: '自訂備份' }).click()
  const create = page.getByRole('dialog', { name: '建立備份' })
  await create.getByRole('combobox', { name: '備份來源' }).selectOption('CONFIG')
  await create.getByRole('combobox', { name: '備份配置' }).selectOption('shop')
  await expectAccessible(page)
  await create.getByRole('button', { name: '開始備份' }).click()
  await create.waitFor({ state: 'detached' })
  await page.locator('tr[data-backup]', { hasText: '備份配置：default' }).first().waitFor()
  await page.getByRole('combobox', { name: '備份配置' }).selectOption('shop')
  await page.waitForURL(/configKey=shop/)
  await expect.poll(() => page.locator('tr[data-backup]').count(), { timeout: 30_000 }).toBe(1)
  const row = page.locator('tr[data-backup]', { hasText: '備份配置：shop' })
  await row.getByText('完成', { exact: true }).waitFor({ timeout: 60_000 })
  await expectFits(page)
  await picture(page, 'backups-of-a-configuration')

  await row.getByRole('button', { name: /的操作$/ }).click()
  await page.getByRole('menuitem', { name: '刪除備份' }).click()
  const remove = page.getByRole('dialog', { name: '刪除備份' })
  await remove.getByText('備份配置：shop').waitFor()
  await remove.locator('time').waitFor()

  await page.goto(`${url}restores/new`)
  await page.getByRole('radio', { name: /\(shop\)$/ }).click()
  await next(page)
  await page.getByText('從此備份恢復：').waitFor()
  await page.getByText('備份配置：shop').waitFor()
})
