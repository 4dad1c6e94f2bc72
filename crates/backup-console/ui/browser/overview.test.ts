import { expect, it } from 'vitest'
import { adminPage, DESKTOP, expectAccessible, expectFits, PHONE, picture, url } from './console'

const name = `Nightly ${Date.now()} <img src=x onerror=alert(1)>`

it('shows the last days of a schedule, and a run of it as it comes', async () => {
  const page = await adminPage()
  const made = await page.request.post(`${url}api/admin/backup/schedule`, {
    data: { name, backupType: 'FULL', backupSource: 'DATABASE', cronExpression: '0 2 * * *' },
  })
  expect(made.status(), await made.text()).toBeLessThan(300)
  const { schedule } = await made.json()
  await page.locator('[data-live=live]').waitFor({ state: 'attached' })
  const strip = page.getByRole('list', { name: `${name} 最近 30 天（Asia/Taipei）` })
  await strip.waitFor()
  expect(await strip.getByRole('listitem').count()).toBe(30)
  const today = strip.getByRole('listitem').last()
  expect(await today.getAttribute('data-day')).toBe('none')

  const asked = await page.request.post(`${url}api/admin/backup/schedule/${schedule.id}/trigger`)
  expect(asked.status(), await asked.text()).toBeLessThan(300)
  await strip.locator('li:last-child[data-day=good]').waitFor()
  await page.getByRole('link', { name: new RegExp(`^查看備份.*${name.slice(0, 21)}`) }).click()
  await page.locator('tr[data-backup]').waitFor()
})

it('draws growth and duration, and promises nothing that it cannot know', async () => {
  const page = await adminPage()
  const growth = page.getByRole('figure').first()
  await growth.getByText('資料不足三天，尚無法預測配額何時用完。').waitFor()
  await page.getByRole('combobox', { name: '期間' }).selectOption('365')
  await growth.getByRole('img', { name: /^儲存用量/ }).waitFor()
})

it('is readable by everybody: light and dark, phone and desktop', async () => {
  const page = await adminPage({ colorScheme: 'light' })
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme })
    for (const [size, viewport] of [
      ['phone', PHONE],
      ['desktop', DESKTOP],
    ] as const) {
      await page.setViewportSize(viewport)
      await page.goto(url)
      const charts = page.getByRole('region', { name: '用量與耗時' })
      await charts.getByRole('figure').last().waitFor()
      await expectAccessible(page)
      await expectFits(page)
      await charts.scrollIntoViewIfNeeded()
      await picture(page, `charts-${scheme}-${size}`)
    }
  }
})
