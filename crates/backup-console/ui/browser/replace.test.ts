import { it } from 'vitest'
import { adminPage, expectAccessible } from './console'
import { replaceByWizard } from './wizard'

it('replaces what is there, and removes it once somebody has confirmed', async () => {
  const page = await adminPage()
  await replaceByWizard(page)
  await page.getByRole('button', { name: '確認恢復' }).click()
  const dialog = page.getByRole('dialog', { name: '確認恢復' })
  await dialog.getByText('確認後，原有數據將永久移除，無法再回復。').waitFor()
  await expectAccessible(page)
  await dialog.getByRole('button', { name: '確認恢復' }).click()
  await page.getByRole('heading', { level: 1, name: '確認並移除原有數據' }).waitFor()
  await page.locator('[data-restore-status=COMPLETED]').waitFor()
  await page.getByRole('link', { name: '查看該次恢復' }).click()
  await page.locator('[data-stage=DISCARDED]').waitFor()
})
