import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { render } from '@testing-library/react'
import i18next from 'i18next'
import { I18nextProvider, initReactI18next } from 'react-i18next'
import { beforeAll, expect, it } from 'vitest'
import common from '@/i18n/zh-TW/common.json'
import { ConfigName } from './ConfigName'

beforeAll(async () => {
  await i18next
    .use(initReactI18next)
    .init({ lng: 'zh-TW', resources: { 'zh-TW': { common } }, defaultNS: 'common' })
})

/** What is said of a backup of the first configuration, where there are these. */
function said(...keys: [string, ...string[]]): string {
  const client = new QueryClient({
    defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, gcTime: Number.POSITIVE_INFINITY } },
  })
  client.setQueryData(['get', '/api/admin/backup/configs'], { configs: keys.map(key => ({ key })) })
  const { container } = render(
    <I18nextProvider i18n={i18next}>
      <MantineProvider>
        <QueryClientProvider client={client}>
          <main>
            <ConfigName of={keys[0]} />
          </main>
        </QueryClientProvider>
      </MantineProvider>
    </I18nextProvider>,
  )
  return container.querySelector('main')?.textContent ?? ''
}

it('says whose a backup is as soon as there are several configurations, of the default one too', () => {
  expect(said('default')).toBe('')
  expect(said('default', 'shop')).toBe('備份配置：default')
  expect(said('shop', 'default')).toBe('備份配置：shop')
})
