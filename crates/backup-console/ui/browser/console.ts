import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

function given(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set. HINT: Run: cargo test -p backup-tests --test console`)
  return value
}

/** Where the console is, with a slash at the end, and who may do everything there. */
export const url = given('CONSOLE_URL')
export const email = given('CONSOLE_EMAIL')
export const password = given('CONSOLE_PASSWORD')

/** What opens the archives. */
export const passphrase = given('CONSOLE_PASSPHRASE')

/** Has the test that runs this do something to the system, and waits until it is done. */
export async function ask(what: string): Promise<void> {
  const answer = await fetch(given('CONSOLE_CONTROL') + what)
  expect(answer.status, what).toBe(204)
}

export const PHONE = { width: 390, height: 844 }
export const DESKTOP = { width: 1440, height: 900 }

/** Every way that a page is looked at. */
export const LOOKS = (['light', 'dark'] as const).flatMap(scheme => [
  { scheme, size: 'phone', viewport: PHONE },
  { scheme, size: 'desktop', viewport: DESKTOP },
])

let browser: Browser
const contexts: BrowserContext[] = []
const complaints: string[] = []

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: given('CONSOLE_CHROMIUM'), args: ['--no-sandbox'] })
})

afterAll(() => browser?.close())

afterEach(async () => {
  await Promise.all(contexts.splice(0).map(context => context.close()))
  expect(complaints.splice(0), 'what the browser complained about').toEqual([])
})

/** A page of a browser that nobody is logged in with. Whatever a script throws or the policy refuses fails the test. */
export async function newPage(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({
    baseURL: url,
    viewport: DESKTOP,
    timezoneId: 'Asia/Taipei',
    reducedMotion: 'reduce',
    ...options,
  })
  context.setDefaultTimeout(60_000)
  contexts.push(context)
  const page = await context.newPage()
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('console', message => {
    // Answers of 4xx and 5xx, and a server that is away, are what some tests are about.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      complaints.push(message.text())
    }
  })
  return page
}

/** Logs in at the page that is open, or at the log-in page. */
export async function logIn(page: Page, as = { email, password }): Promise<void> {
  if (!page.url().includes('/login')) await page.goto(`${url}login`)
  await page.getByRole('textbox', { name: /電子郵件|E-mail/ }).fill(as.email)
  await page.locator('input[name=password]').fill(as.password)
  await page.getByRole('button', { name: /^(登入|Log in)$/ }).click()
  await page.waitForURL(address => !address.pathname.endsWith('/login'))
  // The address changes before the page does, whose menus look like the next one's.
  await page.locator('input[name=password]').waitFor({ state: 'detached' })
}

/** A page that the administrator is logged in at. */
export async function adminPage(options?: Parameters<Browser['newContext']>[0]): Promise<Page> {
  const page = await newPage(options)
  await logIn(page)
  return page
}

/** Asserts that axe finds nothing on the page as it is shown now. */
export async function expectAccessible(page: Page): Promise<void> {
  // By the debugger, which the content security policy does not concern.
  await page.evaluate(await import('node:fs').then(fs => fs.readFileSync(axe, 'utf8')))
  const found = await page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: typeof import('axe-core') }).axe.run()
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html).join(' | ')}`)
  })
  expect(found, page.url()).toEqual([])
}

/** Asserts that nothing stands out at the side. */
export async function expectFits(page: Page): Promise<void> {
  const [needed, there] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ])
  expect(needed, page.url()).toBeLessThanOrEqual(there ?? 0)
}

/** Asserts that whatever can be operated is reached by the Tab key alone. */
export async function expectReachable(page: Page): Promise<void> {
  const all = await page.evaluate(() => {
    const wanted = 'a[href], button, input, select, textarea, summary, [role=button], [role=switch]'
    // One of a group is reached by Tab, the others by the arrows; what is hidden repeats for the mouse what keys do.
    const grouped = '[role=radiogroup], [role=tablist], [type=radio], [aria-hidden=true]'
    const found = [...document.querySelectorAll<HTMLElement>(wanted)].filter(
      each => each.checkVisibility() && !each.matches(':disabled') && !each.closest(grouped),
    )
    for (const [index, each] of found.entries()) each.dataset.reach = String(index)
    ;(document.activeElement as HTMLElement | null)?.blur()
    return found.map(each => each.outerHTML.slice(0, 200))
  })
  const reached = new Set<number>()
  for (let tabs = 0; tabs < all.length * 2 + 20 && reached.size < all.length; tabs += 1) {
    await page.keyboard.press('Tab')
    const index = await page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset.reach)
    if (index !== undefined) reached.add(Number(index))
  }
  expect(
    all.filter((_, index) => !reached.has(index)),
    `not reached at ${page.url()}`,
  ).toEqual([])
}

/** Asserts that everybody can read and operate a page, and keeps its pictures. `there` is on it once it is loaded. */
export async function expectReadable(page: Page, name: string, path: string, there: string): Promise<void> {
  for (const { scheme, size, viewport } of LOOKS) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.setViewportSize(viewport)
    await page.goto(url + path)
    await page.locator(there).first().waitFor()
    await expect.poll(() => page.getByText(/^(載入中|Loading)/).count()).toBe(0)
    await expectAccessible(page)
    await expectFits(page)
    await picture(page, `${name}-${scheme}-${size}`)
  }
  await expectReachable(page)
}

/** Keeps a picture of the page where `CONSOLE_SCREENSHOTS` names a folder. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.CONSOLE_SCREENSHOTS
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}
