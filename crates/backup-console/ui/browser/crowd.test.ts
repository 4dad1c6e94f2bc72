import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { adminPage, ask, picture, url } from './console'

/** How long a storm is looked at, in milliseconds. */
const WATCHED = 8_000

interface Watch {
  watched: { busy: number; observer: PerformanceObserver }
}

/** What share of the time the page's thread was at one task for so long that somebody notices, while this was done. */
async function busyShare(page: Page, during: () => Promise<unknown>): Promise<number> {
  await page.evaluate(() => {
    const watched: Watch['watched'] = {
      busy: 0,
      observer: new PerformanceObserver(list => {
        for (const task of list.getEntries()) watched.busy += task.duration
      }),
    }
    watched.observer.observe({ type: 'longtask' })
    Object.assign(window, { watched })
  })
  const begun = performance.now()
  await during()
  const elapsed = performance.now() - begun
  return (await page.evaluate(() => (window as unknown as Watch).watched.busy)) / elapsed
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

/** The milliseconds from a choice in a filter to the frame that shows its rows. */
async function choosing(page: Page, filter: string, value: string): Promise<number> {
  return page.getByRole('combobox', { name: filter }).evaluate(
    (select, chosen) =>
      new Promise<number>(resolve => {
        const begun = performance.now()
        const list = document.querySelector('[aria-busy]') ?? document.body
        let isAsked = false
        new MutationObserver((_, observer) => {
          isAsked ||= list.ariaBusy === 'true'
          if (!isAsked || list.ariaBusy === 'true') return
          observer.disconnect()
          requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - begun)))
        }).observe(list, { attributes: true })
        ;(select as HTMLSelectElement).value = chosen
        select.dispatchEvent(new Event('change', { bubbles: true }))
      }),
    value,
  )
}

/** Choices none of which was made before, so that each is asked of the server. */
const CHOICES = [
  ['備份來源', 'DATABASE'],
  ['備份類型', 'FULL'],
  ['備份來源', 'FILES'],
  ['備份類型', 'INCREMENTAL'],
  ['備份來源', 'CONFIG'],
  ['備份類型', 'DIFFERENTIAL'],
  ['備份來源', 'FULL_SYSTEM'],
] as const

/** The median of it. */
async function filtering(page: Page): Promise<number> {
  const times: number[] = []
  for (const [filter, value] of CHOICES) times.push(await choosing(page, filter, value))
  return times.sort((one, other) => one - other)[3] ?? Number.NaN
}

it('shows a long list as quickly as a short one', async () => {
  const page = await adminPage()
  await page.goto(`${url}backups?scheduleId=00000000-0000-7000-8000-000000000001`)
  await page.locator('tr[data-backup]').first().waitFor()
  const short = await filtering(page)
  await page.getByRole('button', { name: '清除篩選' }).click()
  await page.waitForURL(`${url}backups`)
  const long = await filtering(page)
  console.log(`a filter: ${short.toFixed(0)} ms on a short list, ${long.toFixed(0)} ms on the long one`)
  expect(long).toBeLessThan(short * 4)

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
  expect(busy).toBeLessThan(0.2)
})

it('stays at hand in a storm of a thousand changes a second', async () => {
  const page = await adminPage()
  await page.goto(`${url}backups?size=200`)
  await page.locator('tr[data-backup]').nth(199).waitFor()
  await page.locator('[data-live=live]').waitFor({ state: 'attached' })
  const quiet = await typing(page)
  await ask('storm')
  await page.locator('tr[data-backup]').first().getByRole('progressbar').waitFor()
  let stormy = 0
  const busy = await busyShare(page, async () => {
    const until = performance.now() + WATCHED
    stormy = await typing(page)
    await page.waitForTimeout(Math.max(0, until - performance.now()))
  })
  await picture(page, 'storm')
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
