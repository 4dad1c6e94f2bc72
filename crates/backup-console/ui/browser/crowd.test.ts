import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { adminPage, ask, url } from './console'

/** How long a storm is looked at, in milliseconds. */
const WATCHED = 8_000

/** How many seconds the page's thread has worked so far. Not how long it took: the machine may have more to do. */
async function worked(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const { metrics } = await session.send('Performance.getMetrics')
  await session.detach()
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN
}

/** What share of the time the page's thread worked while this was done. */
async function busyShare(page: Page, during: () => Promise<unknown>): Promise<number> {
  const [before, begun] = [await worked(page), performance.now()]
  await during()
  return ((await worked(page)) - before) / ((performance.now() - begun) / 1000)
}

/** The median of the milliseconds from a key to the frame that shows it. */
async function typing(page: Page): Promise<number> {
  const search = page.getByRole('searchbox')
  const times: number[] = []
  for (let key = 0; key < 15; key += 1) {
    await search.evaluate(input => {
      const shown = new Promise(resolve => {
        input.addEventListener(
          'keydown',
          event =>
            requestAnimationFrame(() =>
              requestAnimationFrame(() => resolve(performance.now() - event.timeStamp)),
            ),
          { once: true },
        )
      })
      Object.assign(window, { shown })
    })
    await search.press('ArrowLeft')
    times.push(await page.evaluate(() => (window as unknown as { shown: Promise<number> }).shown))
  }
  return times.sort((one, other) => one - other)[7] ?? Number.NaN
}

/** Choices none of which was made before, so that each is asked of the server; all of them have rows. */
const CHOICES = [
  ['備份類型', 'FULL'],
  ['備份類型', 'INCREMENTAL'],
  ['備份類型', 'DIFFERENTIAL'],
  ['狀態', 'COMPLETED'],
  ['備份類型', 'FULL'],
  ['備份類型', 'INCREMENTAL'],
] as const

/** The seconds that the page works for these filters. */
async function filtering(page: Page): Promise<number> {
  const before = await worked(page)
  for (const [filter, value] of CHOICES) {
    const answer = page.waitForResponse(response => response.url().includes('/api/admin/backup?'))
    await page.getByRole('combobox', { name: filter }).selectOption(value)
    await answer
    await page.locator('[aria-busy=false] tr[data-backup]').first().waitFor()
  }
  return (await worked(page)) - before
}

it('shows a long list as quickly as a short one', async () => {
  const page = await adminPage()
  await page.goto(`${url}backups?scheduleId=00000000-0000-7000-8000-000000000001`)
  await page.locator('tr[data-backup]').first().waitFor()
  const short = await filtering(page)
  await page.getByRole('button', { name: '清除篩選' }).click()
  await page.waitForURL(`${url}backups`)
  const long = await filtering(page)
  console.log(`filters: ${short.toFixed(2)} s of work on a short list, ${long.toFixed(2)} s on the long one`)
  expect(long).toBeLessThan(short * 2)

  await page.getByRole('button', { name: '清除篩選' }).click()
  await page.getByRole('button', { name: '最後一頁' }).click()
  await page.waitForURL(/page=\d{4}/)
  await page.locator('[aria-busy=false] tr[data-backup]').first().waitFor()
  await page.goto(`${url}backups?size=200`)
  await page.locator('tr[data-backup]').nth(199).waitFor()
  const busy = await busyShare(page, async () => {
    for (let turn = 0; turn < 40; turn += 1) {
      await page.mouse.move(700, 500)
      await page.mouse.wheel(0, turn < 20 ? 600 : -600)
      await page.evaluate(() => new Promise(requestAnimationFrame))
    }
  })
  console.log(`busy for ${(busy * 100).toFixed(0)} % while it scrolls`)
  expect(busy).toBeLessThan(0.5)
})

it('stays at hand in a storm of a thousand changes a second', async () => {
  const page = await adminPage()
  await page.goto(`${url}backups?size=200`)
  await page.locator('tr[data-backup]').nth(199).waitFor()
  await page.locator('[data-live=live]').waitFor({ state: 'attached' })
  const quiet = await typing(page)
  await ask('storm')
  const first = page.locator('tr[data-backup]').first()
  await first.getByRole('progressbar').waitFor()
  const progress = await first.getByRole('progressbar').getAttribute('aria-valuenow')
  let stormy = 0
  const busy = await busyShare(page, async () => {
    const until = performance.now() + WATCHED
    stormy = await typing(page)
    await page.waitForTimeout(Math.max(0, until - performance.now()))
  })
  expect(await first.getByRole('progressbar').getAttribute('aria-valuenow')).not.toBe(progress)
  console.log(
    `a key: ${quiet.toFixed(0)} ms when quiet, ${stormy.toFixed(0)} ms in the storm; busy for ${(busy * 100).toFixed(0)} %`,
  )
  expect(busy).toBeLessThan(0.5)
  expect(stormy).toBeLessThan(quiet * 6)

  await page.getByRole('searchbox').fill('no such thing')
  await page.getByText('沒有符合條件的備份。').waitFor()
  await page.getByRole('button', { name: '清除篩選' }).click()
  await ask('calm')
  const { backups } = await (await page.request.get(`${url}api/admin/backup?limit=1`)).json()
  await page.locator('tr[data-backup]').first().getByText(`${backups[0].progress}%`).waitFor()
})
