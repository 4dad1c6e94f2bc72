import { Anchor, AppShell, Burger, Group, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { Outlet } from '@tanstack/react-router'
import { Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { Loading } from '@/ui/Loading'
import { AccountMenu } from './AccountMenu'
import classes from './AppLayout.module.css'
import { LanguageSwitch } from './LanguageSwitch'
import { LiveNotice } from './LiveNotice'
import { Navigation } from './Navigation'
import { PauseNotice } from './PauseNotice'
import { SchemeSwitch } from './SchemeSwitch'

/** What surrounds every page but the log-in. */
export function AppLayout() {
  const { t } = useTranslation()
  const [isOpen, { toggle, close }] = useDisclosure()
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: !isOpen } }}
      padding="md"
    >
      {/* Not by `#main` alone: that would be relative to <base>, and lead away from the page. */}
      <Anchor
        component="button"
        className={classes.skip}
        onClick={() => document.getElementById('main')?.focus()}
      >
        {t('skip')}
      </Anchor>
      <AppShell.Header>
        <Group h="100%" px="md" gap="xs" wrap="nowrap">
          <Burger
            opened={isOpen}
            onClick={toggle}
            hiddenFrom="sm"
            size="sm"
            aria-label={t('navigation.open')}
          />
          <Text fw={700} flex={1} truncate>
            {t('title')}
          </Text>
          <LanguageSwitch />
          <SchemeSwitch />
          <AccountMenu />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" aria-label={t('navigation.label')}>
        <Navigation onNavigate={close} />
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} className={classes.main}>
        <LiveNotice />
        <PauseNotice />
        <Suspense fallback={<Loading />}>
          <Outlet />
        </Suspense>
      </AppShell.Main>
    </AppShell>
  )
}
