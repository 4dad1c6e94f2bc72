import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { adminPage, email, expectAccessible, expectReadable, logIn, newPage, picture, url } from './console'

const TABS = ['storage', 'source', 'encryption', 'notifications', 'quota', 'users', 'tokens', 'login']

const field = (page: Page, name: string) => page.getByRole('textbox', { name, exact: true })
const save = (page: Page) => page.getByRole('button', { name: '儲存', exact: true })

it('tests a connection with what is typed, and keeps nothing of it', async () => {
  const page = await adminPage()
  await page.goto(`${url}settings?tab=source`)
  await page.getByRole('button', { name: '測試連線' }).click()
  await page.getByText('測試成功').waitFor()
  await page.getByText(/pg_dump 版本/).waitFor()

  const name = await field(page, '數據庫名稱').inputValue()
  await field(page, '數據庫名稱').fill('no_such_database')
  await page.getByRole('button', { name: '測試連線' }).click()
  await page.getByRole('alert').getByText('測試失敗').waitFor()
  await page
    .getByRole('alert')
    .getByText(/no_such_database/)
    .waitFor()
  await page.getByRole('button', { name: '放棄變更' }).click()
  expect(await field(page, '數據庫名稱').inputValue()).toBe(name)
  expect(await save(page).isDisabled()).toBe(true)

  await page.goto(`${url}settings`)
  await page.getByRole('button', { name: '測試連線' }).click()
  await page.getByText('測試成功').waitFor()
})

it('says at the field what the server refuses, and goes back to the environment', async () => {
  const page = await adminPage()
  await page.goto(`${url}settings?tab=quota`)
  await field(page, '儲存配額 (GB)').fill('0')
  await save(page).click()
  await page.getByText('欄位 quotaGigabytes 無效').first().waitFor()
  await field(page, '儲存配額 (GB)').fill('7')
  await page.getByRole('combobox', { name: '使用量警示 (%)' }).fill('70')
  await page.keyboard.press('Enter')
  await save(page).click()
  await page.getByText('設定已儲存，從下一次備份開始生效').waitFor()
  await page.getByText(/已使用 .* \/ 7\.00 GB/).waitFor()
  await page.getByRole('button', { name: '儲存配額 (GB)：改用環境設定' }).click()
  await page.getByText(/已使用 .* \/ 100\.00 GB/).waitFor()
  const { config } = await (await page.request.get(`${url}api/admin/backup/config`)).json()
  expect(config.usageAlertPercents).toEqual([70, 80, 90, 95])
})

it('keeps secrets that are never shown again', async () => {
  const page = await adminPage()
  await page.goto(`${url}settings?tab=source`)
  await page.getByRole('button', { name: '新增配置' }).click()
  const dialog = page.getByRole('dialog', { name: '新增配置' })
  await dialog.getByRole('textbox', { name: '配置名稱' }).fill('Not good')
  await dialog.getByRole('button', { name: '新增配置' }).click()
  await dialog.getByText('請輸入尚未使用的名稱', { exact: false }).waitFor()
  await dialog.getByRole('textbox', { name: '配置名稱' }).fill('second')
  await dialog.getByRole('button', { name: '新增配置' }).click()
  await page.waitForURL(/config=second/)

  await page.getByLabel('數據庫密碼', { exact: true }).fill('canary-of-a-password')
  await save(page).click()
  await page.getByRole('button', { name: '數據庫密碼：改用環境設定' }).waitFor()
  expect(await page.getByLabel('數據庫密碼', { exact: true }).inputValue()).toBe('')
  await page.reload()
  await page.getByText('已設定（***）', { exact: false }).first().waitFor()
  expect(await page.content()).not.toContain('canary-of-a-password')

  await page.getByRole('tab', { name: '加密與金鑰' }).click()
  const before = await page.locator('code').textContent()
  await page.getByLabel('加密密碼短語').fill('a passphrase of its own')
  await page.getByLabel('再輸入一次').fill('a passphrase of its owm')
  await save(page).click()
  await page.getByText('兩次輸入的密碼短語不同').waitFor()
  expect(await page.locator('code').textContent()).toBe(before)
  await page.getByLabel('再輸入一次').fill('a passphrase of its own')
  await save(page).click()
  await expect.poll(() => page.locator('code').textContent()).not.toBe(before)

  await page.getByRole('button', { name: '刪除配置' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '刪除', exact: true }).click()
  await page.getByRole('button', { name: '刪除配置' }).waitFor({ state: 'detached' })
})

it('tells a webhook, and keeps its address', async () => {
  const told: string[] = []
  const hook = createServer((request, response) => {
    let body = ''
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => {
      told.push(body)
      response.end()
    })
  })
  await new Promise<void>(resolve => hook.listen(0, '127.0.0.1', resolve))
  try {
    const page = await adminPage()
    await page.goto(`${url}settings?tab=notifications`)
    await page.getByRole('button', { name: '新增 Webhook' }).click()
    const dialog = page.getByRole('dialog', { name: '新增 Webhook' })
    await dialog.getByRole('textbox', { name: '名稱' }).fill('ops')
    await dialog.getByRole('combobox', { name: '接收程式' }).selectOption('其他（JSON）')
    const { port } = hook.address() as AddressInfo
    await dialog.getByLabel('位址').fill(`http://127.0.0.1:${port}/canary-of-an-address`)
    await dialog.getByRole('button', { name: '儲存' }).click()
    await page.getByRole('button', { name: '編輯 ops' }).click()
    const edit = page.getByRole('dialog', { name: '編輯 Webhook' })
    await edit.getByRole('switch', { name: '備份成功時通知' }).click()
    await edit.getByRole('button', { name: '儲存' }).click()
    await edit.waitFor({ state: 'detached' })
    await page.getByText('備份失敗與警示時通知、備份成功時通知').waitFor()
    expect(await page.content()).not.toContain('canary-of-an-address')

    // Without a mail server the test as a whole fails where there are addresses; there are none.
    await page.getByRole('button', { name: '傳送測試訊息' }).click()
    await expect.poll(() => told.length, { timeout: 20_000 }).toBe(1)
    expect(JSON.parse(told[0] ?? '')).toMatchObject({ event: 'test' })

    await page.getByRole('button', { name: '刪除 ops' }).click()
    await page.getByRole('dialog').getByRole('button', { name: '刪除', exact: true }).click()
    await page.getByText('尚未設定 Webhook。').waitFor()
  } finally {
    hook.closeAllConnections()
    hook.close()
  }
})

it('lets people in and out', async () => {
  const page = await adminPage()
  await page.goto(`${url}settings?tab=users`)
  const person = { email: 'person@example.org', password: 'the first password' }
  await page.getByRole('button', { name: '新增使用者' }).click()
  const dialog = page.getByRole('dialog', { name: '新增使用者' })
  await dialog.getByRole('textbox', { name: '電子郵件' }).fill(person.email)
  await dialog.getByLabel('密碼', { exact: true }).fill('short')
  await dialog.getByRole('button', { name: '新增使用者' }).click()
  await dialog.getByText('至少需要 8 個字元').waitFor()
  await dialog.getByLabel('密碼', { exact: true }).fill(person.password)
  await dialog.getByRole('button', { name: '新增使用者' }).click()
  const row = page.locator(`tr[data-user="${person.email}"]`)
  await row.waitFor()

  const theirs = await newPage()
  await logIn(theirs, person)
  expect(await theirs.getByRole('link', { name: '稽核日誌' }).count()).toBe(0)
  await theirs.getByRole('link', { name: '系統設定' }).click()
  await theirs.getByText('目前存放於：', { exact: false }).waitFor()
  expect(await theirs.getByRole('tab').count()).toBe(5)
  for (const name of ['儲存', '測試連線', '新增配置']) {
    expect(await theirs.getByRole('button', { name, exact: true }).count()).toBe(0)
  }
  expect(await theirs.locator('main input').count()).toBe(0)
  await expectAccessible(theirs)

  await row.getByRole('button', { name: `${person.email} 的操作` }).click()
  await page.getByRole('menuitem', { name: '重設密碼' }).click()
  const reset = page.getByRole('dialog', { name: '重設密碼' })
  await reset.getByLabel('新密碼').fill('the second password')
  await reset.getByLabel('再輸入一次').fill('another password')
  await reset.getByRole('button', { name: '重設密碼' }).click()
  await reset.getByText('兩次輸入的密碼不同').waitFor()
  await reset.getByLabel('再輸入一次').fill('the second password')
  await reset.getByRole('button', { name: '重設密碼' }).click()
  await reset.waitFor({ state: 'detached' })
  const again = await newPage()
  await logIn(again, { ...person, password: 'the second password' })

  await row.getByRole('combobox', { name: `${person.email} 的角色` }).selectOption('管理員')
  await again.reload()
  await again.getByRole('link', { name: '稽核日誌' }).waitFor()
  await row.getByRole('switch', { name: `允許 ${person.email} 登入` }).click({ force: true })
  await expect.poll(() => row.getByRole('switch').isChecked()).toBe(false)
  await again.reload()
  await again.getByRole('button', { name: '登入', exact: true }).waitFor()

  // The last administrator stays.
  const mine = page.locator(`tr[data-user="${email}"]`)
  await mine.getByRole('combobox').selectOption('檢視者')
  await page.getByRole('alert').waitFor()
  expect(await mine.getByRole('combobox').inputValue()).toBe('ADMIN')

  await row.getByRole('button', { name: `${person.email} 的操作` }).click()
  await page.getByRole('menuitem', { name: '刪除使用者' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '刪除', exact: true }).click()
  await row.waitFor({ state: 'detached' })
})

it('shows the secret of a token once', async () => {
  const page = await adminPage()
  await page.goto(`${url}settings?tab=tokens`)
  await page.getByRole('button', { name: '新增權杖' }).click()
  const dialog = page.getByRole('dialog', { name: '新增權杖' })
  await dialog.getByRole('textbox', { name: '用途' }).fill('監控系統')
  await dialog.getByRole('combobox', { name: '到期' }).selectOption('30 天')
  await dialog.getByRole('button', { name: '新增權杖' }).click()
  const secret = (await dialog.locator('pre').textContent()) ?? ''
  expect(secret).toMatch(/^bkp_/)
  await expectAccessible(page)
  await dialog.getByRole('button', { name: '我已保存' }).click()
  await page.getByRole('cell', { name: '監控系統', exact: true }).waitFor()
  expect(await page.content()).not.toContain(secret)

  const asked = () =>
    fetch(`${url}api/admin/backup/status`, { headers: { authorization: `Bearer ${secret}` } })
  expect((await asked()).status).toBe(200)
  await page.getByRole('button', { name: '刪除權杖 監控系統' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '刪除', exact: true }).click()
  await page.getByRole('cell', { name: '監控系統', exact: true }).waitFor({ state: 'detached' })
  expect((await asked()).status).toBe(401)
})

it('has a sheet for the worst day that prints without what surrounds it, and names no secret', async () => {
  const page = await adminPage()
  await page.goto(`${url}settings?tab=encryption`)
  await page.getByRole('link', { name: '列印復原資料表' }).click()
  await page.getByRole('heading', { level: 1, name: '復原資料表' }).waitFor()
  const { config } = await (await page.request.get(`${url}api/admin/backup/config`)).json()
  await page.getByText(config.keyFingerprint, { exact: true }).first().waitFor()
  await page.getByText('backupctl catalog rebuild').waitFor()
  await page.emulateMedia({ media: 'print' })
  expect(await page.getByRole('button', { name: '列印' }).isVisible()).toBe(false)
  expect(await page.getByRole('banner').isVisible()).toBe(false)
  expect(await page.getByRole('navigation').isVisible()).toBe(false)
  await picture(page, 'recovery-print')
})

it.each(TABS)('is readable by everybody: %s', async tab => {
  const page = await adminPage({ colorScheme: 'light' })
  await expectReadable(page, `settings-${tab}`, `settings?tab=${tab}`, '[role=tabpanel] h2')
})

it('is readable by everybody: the sheet', async () => {
  const page = await adminPage({ colorScheme: 'light' })
  await expectReadable(page, 'recovery', 'recovery', 'text=backupctl catalog rebuild')
})
