import { expect, it } from 'vitest'
import { adminPage, expectAccessible, expectReadable, logIn, newPage, picture, url } from './console'
import { defaultConfig, newestBackup, next, replaceByWizard } from './wizard'

it('restores one table and one file beside what is there, and says first why it would not', async () => {
  const page = await adminPage()
  const backup = await newestBackup(page)
  const { databaseName, uploadDir } = await defaultConfig(page)
  await page.goto(`${url}backups/${backup.id}`)
  await page.getByRole('link', { name: '恢復', exact: true }).click()

  await page.getByRole('radio', { name: '只恢復部分資料表' }).check()
  await page.getByRole('combobox', { name: '資料表' }).fill('orders')
  await page.getByRole('option', { name: 'app.orders' }).click()
  await page.keyboard.press('Escape')
  await page.getByRole('radio', { name: '只恢復部分檔案或資料夾' }).check()
  await page.getByRole('button', { name: 'folder', exact: true }).click()
  await page.getByRole('checkbox', { name: '選擇 file 3', exact: true }).check()
  await page.getByText('已選擇 1 項').waitFor()
  await page.getByRole('checkbox', { name: /^系統配置/ }).uncheck()
  await expectAccessible(page)
  await picture(page, 'restore-scope')
  await next(page)

  expect(await page.getByRole('radio', { name: '取代現有數據' }).isDisabled()).toBe(true)
  await next(page)
  expect(await page.getByText('此欄位必填').count()).toBe(2)
  await expectAccessible(page)
  await page.getByRole('textbox', { name: '目標數據庫' }).fill(databaseName)
  await page.getByRole('textbox', { name: '目標資料夾' }).fill(uploadDir)
  await next(page)
  await page.getByRole('alert').getByText('目標不是空的').first().waitFor()
  expect(await page.getByRole('button', { name: '開始恢復' }).count()).toBe(0)
  await expectAccessible(page)
  await picture(page, 'restore-refused')

  await page.getByRole('button', { name: '上一步' }).click()
  await page.getByRole('textbox', { name: '目標數據庫' }).fill(`${databaseName}_beside`)
  await page.getByRole('textbox', { name: '目標資料夾' }).fill(`${uploadDir}-beside`)
  await next(page)
  await page.getByText('可以恢復，未發現問題。').waitFor()
  await page
    .getByRole('textbox', { name: `請輸入「${databaseName}_beside」以確認` })
    .fill(`${databaseName}_beside`)
  await page.getByRole('button', { name: '開始恢復' }).click()
  await page.locator('[data-restore-status=COMPLETED]').waitFor()
  await page.getByText('folder/file 3').waitFor()
})

it('replaces what is there, and puts it back exactly as it was', async () => {
  const page = await adminPage()
  await replaceByWizard(page)
  await expectAccessible(page)
  await picture(page, 'restore-kept')

  await page.getByRole('button', { name: '回復到恢復前' }).click()
  const dialog = page.getByRole('dialog', { name: '回復到恢復前' })
  const rollBack = dialog.getByRole('button', { name: '回復到恢復前' })
  expect(await rollBack.isDisabled()).toBe(true)
  await expectAccessible(page)
  await dialog.getByRole('checkbox').check()
  await rollBack.click()
  await page.getByRole('heading', { level: 1, name: '回復到恢復前' }).waitFor()
  await page.locator('[data-restore-status=COMPLETED]').waitFor()
  await page.getByRole('link', { name: '查看該次恢復' }).click()
  await page.locator('[data-stage=ROLLED_BACK]').waitFor()
  expect(await page.getByRole('button', { name: '確認恢復' }).count()).toBe(0)
})

it('leads through the wizard by the keyboard alone', async () => {
  const page = await adminPage()
  await page.goto(`${url}restores/new`)
  const reach = async (role: 'radio' | 'button' | 'textbox', name: string | RegExp) => {
    const wanted = page.getByRole(role, { name }).first()
    await wanted.waitFor()
    for (let tabs = 0; tabs < 40; tabs += 1) {
      await page.keyboard.press('Tab')
      if (await wanted.evaluate(element => element === document.activeElement)) return
    }
    throw new Error(`${name} is not reached`)
  }
  await reach('radio', /^backup-/)
  await page.keyboard.press('Space')
  await reach('button', '下一步')
  await page.keyboard.press('Enter')
  await page.getByText('從此備份恢復：').waitFor()
  await reach('button', '下一步')
  await page.keyboard.press('Enter')
  await reach('radio', '恢復到新的位置')
  await page.keyboard.press('ArrowDown')
  await reach('button', '下一步')
  await page.keyboard.press('Enter')
  await reach('textbox', /以確認$/)
})

it('lists them, and shows who may only look no action', async () => {
  const admin = await adminPage()
  const viewer = { email: `viewer-${Date.now()}@example.org`, password: 'a password to look with' }
  const made = await admin.request.post(`${url}api/admin/users`, {
    data: { ...viewer, displayName: 'Viewer', role: 'VIEWER' },
  })
  expect(made.status(), await made.text()).toBeLessThan(300)
  const page = await newPage()
  await logIn(page, viewer)
  await page.getByRole('link', { name: '恢復記錄' }).click()
  await page.locator('tr[data-restore]').first().waitFor()
  expect(await page.locator('tr[data-restore]').count()).toBeGreaterThanOrEqual(3)
  expect(await page.getByRole('link', { name: '恢復備份' }).count()).toBe(0)
  await page.goto(`${url}backups/${(await newestBackup(page)).id}`)
  await page.getByRole('heading', { name: '備份內容' }).waitFor()
  expect(await page.getByRole('link', { name: '恢復', exact: true }).count()).toBe(0)
  expect(await page.getByRole('button', { name: '執行恢復演練' }).count()).toBe(0)
})

it('is readable by everybody: light and dark, phone and desktop', async () => {
  const page = await adminPage({ colorScheme: 'light' })
  const backup = await newestBackup(page)
  const { restores } = await (await page.request.get(`${url}api/admin/restore?limit=2`)).json()
  for (const [name, path, there] of [
    ['restores', 'restores', 'tr[data-restore]'],
    ['restore', `restores/${restores[1].id}`, '[data-stage]'],
    ['restore-point', 'restores/new', '[role=radio]'],
    ['restore-scope', `restores/new?backup=${backup.id}`, '[type=checkbox]'],
  ] as const) {
    await expectReadable(page, name, path, there)
  }
})
