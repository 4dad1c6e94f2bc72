import { Stack, Tabs } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import type { ComponentType } from 'react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { BackupConfig } from '@/api/schema'
import { useCan } from '@/session/me'
import { Boundary } from '@/ui/Boundary'
import { AnchorLink } from '@/ui/links'
import { PageHeader } from '@/ui/PageHeader'
import { ConfigPicker, DEFAULT } from './ConfigPicker'
import { EncryptionSettings } from './EncryptionSettings'
import { LoginSettings } from './LoginSettings'
import { NotificationSettings } from './NotificationSettings'
import { QuotaSettings } from './QuotaSettings'
import { SourceSettings } from './SourceSettings'
import { StorageSettings } from './StorageSettings'
import {
  CONFIG_TABS,
  type ConfigTab,
  isConfigTab,
  PEOPLE_TABS,
  type SettingsSearch,
  type Tab,
} from './search'
import { TokenSettings } from './TokenSettings'
import { UserSettings } from './UserSettings'

const route = getRouteApi('/inside/settings')

const OF_CONFIG: Record<ConfigTab, ComponentType<{ config: BackupConfig }>> = {
  storage: StorageSettings,
  source: SourceSettings,
  encryption: EncryptionSettings,
  notifications: NotificationSettings,
  quota: QuotaSettings,
}

const OF_PEOPLE: Record<(typeof PEOPLE_TABS)[number], ComponentType> = {
  users: UserSettings,
  tokens: TokenSettings,
  login: LoginSettings,
}

/** What the system works with: configurations, and who may do what. */
export function SettingsPage() {
  const { t } = useTranslation('settings')
  const can = useCan()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const change = (changes: SettingsSearch) =>
    void navigate({ search: before => ({ ...before, ...changes }), replace: true })
  const tabs: readonly Tab[] = can('ADMIN') ? [...CONFIG_TABS, ...PEOPLE_TABS] : CONFIG_TABS
  const tab = tabs.find(each => each === search.tab) ?? CONFIG_TABS[0]
  return (
    <Stack>
      <PageHeader title={t('title')}>
        <AnchorLink to="/recovery" size="sm" underline="always">
          {t('recovery.title')}
        </AnchorLink>
      </PageHeader>
      <Tabs
        value={tab}
        onChange={chosen => change({ tab: tabs.find(each => each === chosen) })}
        keepMounted={false}
      >
        <Tabs.List>
          {tabs.map(each => (
            <Tabs.Tab key={each} value={each}>
              {t(`tab.${each}`)}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value={tab} pt="md">
          <Boundary>
            {isConfigTab(tab) ? (
              <ConfigSettings tab={tab} wanted={search.config} onChoose={key => change({ config: key })} />
            ) : (
              <PeopleSettings tab={tab} />
            )}
          </Boundary>
        </Tabs.Panel>
      </Tabs>
    </Stack>
  )
}

function PeopleSettings({ tab }: { tab: (typeof PEOPLE_TABS)[number] }) {
  const Part = OF_PEOPLE[tab]
  return <Part />
}

interface ConfigProps {
  tab: ConfigTab
  wanted: string | undefined
  onChoose: (key: string | undefined) => void
}

function ConfigSettings({ tab, wanted = DEFAULT, onChoose }: ConfigProps) {
  const { configs } = $api.useSuspenseQuery('get', '/api/admin/backup/configs').data
  const chosen = configs.find(({ key }) => key === wanted) ?? configs[0]
  if (!chosen) return null
  const Part = OF_CONFIG[tab]
  return (
    <Stack>
      <ConfigPicker
        configs={configs}
        chosen={chosen}
        onChoose={key => onChoose(key === DEFAULT ? undefined : key)}
      />
      <Part key={chosen.key} config={chosen} />
    </Stack>
  )
}
