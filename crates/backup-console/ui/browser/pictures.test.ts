import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { adminPage, PHONE, url } from './console'

const folder = join(process.env.CONSOLE_SCREENSHOTS ?? '.', 'readme')

/** Keeps what is shown as WebP, which only the browser is needed for. */
async function keep(page: Page, name: string): Promise<void> {
  const png = (await page.screenshot()).toString('base64')
  const blank = await page.context().newPage()
  const webp = await blank.evaluate(async source => {
    const image = new Image()
    image.src = `data:image/png;base64,${source}`
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = image.width
    canvas.height = image.height
    canvas.getContext('2d')?.drawImage(image, 0, 0)
    return canvas.toDataURL('image/webp', 0.85)
  }, png)
  await blank.close()
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${name}.webp`), Buffer.from(webp.replace(/^.*,/, ''), 'base64'))
}

it.each(['en', 'zh-TW'])(
  'takes the pictures of the README: %s',
  async language => {
    const page = await adminPage({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' })
    await page.evaluate(chosen => {
      localStorage.setItem('backup-language', chosen)
      localStorage.setItem('backup-guide', '{"state":"closed"}')
    }, language)
    page.setDefaultTimeout(60_000)
    const show = async (path: string, there: string) => {
      await page.goto(url + path)
      await page.locator(there).first().waitFor()
      await expect.poll(() => page.getByText(/^(載入中|Loading)/).count(), { timeout: 60_000 }).toBe(0)
    }
    await show('', 'figure svg')
    await keep(page, `overview-${language}`)
    await show('schedules?create=true', '[role=dialog] time')
    await keep(page, `schedule-${language}`)
    await page.emulateMedia({ colorScheme: 'dark' })
    await show('backups', 'tr[data-backup]')
    await keep(page, `backups-${language}`)
    await page.setViewportSize(PHONE)
    await show('', '[data-health]')
    await keep(page, `phone-${language}`)
  },
  300_000,
)
