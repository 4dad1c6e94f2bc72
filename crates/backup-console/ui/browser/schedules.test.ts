import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { adminPage, expectAccessible, expectFits, LOOKS, logIn, newPage, picture, url } from './console'

const NIGHTLY = '每月底備份'
const OFTEN = '每小時備份'

const card = (page: Page, name: string) => page.getByRole('region', { name })

async function act(page: Page, name: string, action: string): Promise<void> {
  await page.getByRole('button', { name: `${name} 的操作` }).click()
  await page.getByRole('menuitem', { name: action }).click()
}

it('makes a schedule by the builder, and says at once when it runs', async () => {
  const page = await adminPage()
  await page.getByRole('link', { name: '備份排程' }).click()
  await page.getByRole('button', { name: '新增排程' }).click()
  const dialog = page.getByRole('dialog', { name: '新增備份排程' })
  const expression = dialog.getByRole('textbox', { name: 'Cron 表達式' })
  expect(await dialog.getByRole('switch', { name: '啟用此排程' }).isChecked()).toBe(true)
  await dialog.getByRole('button', { name: '每週日凌晨 3:00' }).click()
  expect(await expression.inputValue()).toBe('0 3 * * 0')
  expect(await dialog.getByRole('combobox', { name: '頻率' }).inputValue()).toBe('WEEKS')

  await dialog.getByRole('combobox', { name: '頻率' }).selectOption('每月')
  await dialog.getByRole('combobox', { name: '日期' }).selectOption('最後一天')
  await dialog.getByLabel('時間', { exact: true }).fill('01:30')
  expect(await expression.inputValue()).toBe('30 1 L * *')
  await dialog.getByText('每月最後一天凌晨 1:30').waitFor()

  await expression.fill('99 1 * * *')
  await dialog.getByText(/Cron 表達式.*無效/).waitFor()
  await expression.fill('30 1 L * *')
  await dialog.getByText('每月最後一天凌晨 1:30').waitFor()

  await dialog.getByRole('combobox', { name: '時區' }).fill('Berlin')
  await page.getByRole('option', { name: 'Europe/Berlin' }).click()
  await dialog.getByText('排程時區 (Europe/Berlin)').waitFor()
  await dialog.getByText('您的時區 (Asia/Taipei)').waitFor()

  await dialog.getByRole('button', { name: '建立排程' }).click()
  await dialog.getByText('此欄位必填').waitFor()
  await dialog.getByRole('textbox', { name: '排程名稱' }).fill(NIGHTLY)
  await dialog.getByRole('textbox', { name: '天', exact: true }).fill('7')
  await dialog.getByText('保留 30 天，最多 10 個備份；另保留最近 7 天各一個').waitFor()
  await dialog.getByRole('button', { name: '建立排程' }).click()
  await dialog.waitFor({ state: 'detached' })
  const made = card(page, NIGHTLY)
  await made.getByText('每月最後一天凌晨 1:30').waitFor()
  await made.getByText('30 1 L * *').waitFor()
  expect(await made.getByRole('switch', { name: `啟用排程 ${NIGHTLY}` }).isChecked()).toBe(true)
  await made.getByText('保留 30 天，最多 10 個備份；另保留最近 7 天各一個').waitFor()
  await made.getByText('尚未執行').waitFor()
})

it('fires a schedule of the builder by itself, and shows it', async () => {
  const page = await adminPage()
  await page.goto(`${url}schedules?create=true`)
  const dialog = page.getByRole('dialog', { name: '新增備份排程' })
  await dialog.getByRole('textbox', { name: '排程名稱' }).fill(OFTEN)
  await dialog.getByRole('combobox', { name: '備份來源' }).selectOption('僅系統配置')
  // Not the next minute where that begins before the schedule is made.
  const minute = String(new Date(Date.now() + 90_000).getMinutes())
  await dialog.getByRole('combobox', { name: '頻率' }).selectOption('每隔幾小時')
  await dialog.getByRole('combobox', { name: '第幾分' }).selectOption(minute)
  expect(await dialog.getByRole('textbox', { name: 'Cron 表達式' }).inputValue()).toBe(`${minute} * * * *`)
  await dialog.getByRole('button', { name: '建立排程' }).click()
  const made = card(page, OFTEN)
  await made.getByText('完成', { exact: true }).waitFor({ timeout: 140_000 })
  await made.getByRole('link', { name: '1 個備份' }).waitFor()

  await made.getByRole('switch', { name: `啟用排程 ${OFTEN}` }).click({ force: true })
  await made.getByText('停用中，不會執行').waitFor()
  await act(page, OFTEN, '執行記錄')
  await page.getByRole('dialog').getByText('準時開始').first().waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })

  await made.getByRole('link', { name: /個備份$/ }).click()
  await page.waitForURL(/backups\?scheduleId=/)
  await page.locator('tr[data-backup]').first().getByText('排程觸發').waitFor()
})

it('runs a schedule now, and tells what a change of its retention would delete', async () => {
  const page = await adminPage()
  await page.goto(`${url}schedules`)
  const often = card(page, OFTEN)
  const before = Number.parseInt((await often.getByRole('link', { name: /個備份$/ }).textContent()) ?? '', 10)
  for (let count = before + 1; count <= before + 2; count += 1) {
    await act(page, OFTEN, '立即執行')
    await often.getByRole('link', { name: `${count} 個備份` }).waitFor()
    await often.getByText('完成', { exact: true }).waitFor()
  }
  await act(page, OFTEN, '編輯')
  const dialog = page.getByRole('dialog', { name: '編輯備份排程' })
  await dialog.getByText(`保留 ${before + 2} 個`).waitFor()
  await dialog.getByText('刪除 0 個').waitFor()
  await dialog.getByRole('textbox', { name: '最大備份數' }).fill('1')
  await dialog.getByText(`刪除 ${before + 1} 個`).waitFor()
  expect(await dialog.locator('tr[data-decision=EXPIRE]').count()).toBe(before + 1)
  await dialog.getByRole('textbox', { name: '最大備份數' }).fill('0')
  await dialog.getByRole('button', { name: '儲存變更' }).click()
  await dialog.getByText('請輸入 1 到 1000 的整數').waitFor()
  await dialog.getByRole('textbox', { name: '最大備份數' }).fill('50')
  await dialog.getByRole('combobox', { name: '自動驗證' }).selectOption('隨機抽樣')
  await dialog.getByRole('textbox', { name: '抽樣比例' }).fill('25')
  await dialog.getByRole('button', { name: '儲存變更' }).click()
  await dialog.waitFor({ state: 'detached' })
  await often.getByText('保留 30 天，最多 50 個備份').waitFor()
  await often.getByText('隨機抽樣 25%，恢復演練').waitFor()
})

it('is readable by everybody, and shows who may only look no action', async () => {
  const admin = await adminPage({ colorScheme: 'light' })
  for (const { scheme, size, viewport } of LOOKS) {
    await admin.emulateMedia({ colorScheme: scheme })
    await admin.setViewportSize(viewport)
    await admin.goto(`${url}schedules`)
    await card(admin, OFTEN).getByText('完成', { exact: true }).waitFor()
    await expectAccessible(admin)
    await expectFits(admin)
    await picture(admin, `schedules-${scheme}-${size}`)
    await act(admin, OFTEN, '編輯')
    await admin.getByRole('dialog').locator('tr[data-decision]').first().waitFor()
    await expectAccessible(admin)
    await expectFits(admin)
    await picture(admin, `schedule-modal-${scheme}-${size}`)
  }

  const viewer = { email: 'schedule-viewer@example.org', password: 'a password to look with' }
  await admin.request.post(`${url}api/admin/users`, { data: { ...viewer, role: 'VIEWER' } })
  const page = await newPage()
  await logIn(page, viewer)
  await page.goto(`${url}schedules?create=true`)
  await card(page, OFTEN).getByText('停用', { exact: false }).first().waitFor()
  expect(await page.getByRole('switch').count()).toBe(0)
  expect(await page.getByRole('dialog').count()).toBe(0)
  expect(await page.getByRole('button', { name: '新增排程' }).count()).toBe(0)
  await page.getByRole('button', { name: `${OFTEN} 的操作` }).click()
  await page.getByRole('menuitem', { name: '預覽保留結果' }).waitFor()
  for (const name of ['立即執行', '編輯', '刪除']) {
    expect(await page.getByRole('menuitem', { name }).count()).toBe(0)
  }
})

it('deletes a schedule once that is confirmed', async () => {
  const page = await adminPage()
  await page.goto(`${url}schedules`)
  for (const name of [NIGHTLY, OFTEN]) {
    await act(page, name, '刪除')
    const dialog = page.getByRole('dialog', { name: '刪除排程' })
    await dialog.getByText('確定要刪除此排程嗎？').waitFor()
    await dialog.getByRole('button', { name: '刪除', exact: true }).click()
    await card(page, name).waitFor({ state: 'detached' })
  }
})
