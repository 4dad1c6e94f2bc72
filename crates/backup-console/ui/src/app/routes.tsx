import { createRootRoute, createRoute, lazyRouteComponent, Outlet, redirect } from '@tanstack/react-router'
import { Failure } from '@/api/failure'
import { queryClient } from '@/api/queries'
import { readArchiveSearch } from '@/archive/search'
import { readAuditSearch } from '@/audit/search'
import { readBackupSearch } from '@/backups/search'
import { AppLayout } from '@/layout/AppLayout'
import { readRestoresSearch, readWizardSearch } from '@/restore/search'
import { readScheduleSearch } from '@/schedules/search'
import { readLoginSearch } from '@/session/loginSearch'
import { meQuery } from '@/session/me'
import { readSettingsSearch } from '@/settings/search'

// Every page of the console. A page is loaded when it is first opened; its address holds what it shows, so that it can be
// sent to somebody else. A new page is a route here, and a line in `layout/Navigation.tsx`.

const root = createRootRoute({ component: Outlet })

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: readLoginSearch,
  component: lazyRouteComponent(() => import('@/session/LoginPage'), 'LoginPage'),
})

/** What only people who are logged in see. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: AppLayout,
  beforeLoad: async ({ location }) => {
    try {
      await queryClient.ensureQueryData(meQuery)
    } catch (error) {
      if (!(error instanceof Failure && error.status === 401)) throw error
      throw redirect({ to: '/login', search: location.href === '/' ? {} : { returnTo: location.href } })
    }
  },
})

const overview = createRoute({
  getParentRoute: () => inside,
  path: '/',
  component: lazyRouteComponent(() => import('@/overview/BackupManagement'), 'BackupManagement'),
})

const backups = createRoute({
  getParentRoute: () => inside,
  path: '/backups',
  validateSearch: readBackupSearch,
  component: lazyRouteComponent(() => import('@/backups/BackupsPage'), 'BackupsPage'),
})

const schedules = createRoute({
  getParentRoute: () => inside,
  path: '/schedules',
  validateSearch: readScheduleSearch,
  component: lazyRouteComponent(() => import('@/schedules/SchedulesPage'), 'SchedulesPage'),
})

const settings = createRoute({
  getParentRoute: () => inside,
  path: '/settings',
  validateSearch: readSettingsSearch,
  component: lazyRouteComponent(() => import('@/settings/SettingsPage'), 'SettingsPage'),
})

const recovery = createRoute({
  getParentRoute: () => inside,
  path: '/recovery',
  component: lazyRouteComponent(() => import('@/recovery/RecoverySheet'), 'RecoverySheet'),
})

const audit = createRoute({
  getParentRoute: () => inside,
  path: '/audit',
  validateSearch: readAuditSearch,
  component: lazyRouteComponent(() => import('@/audit/AuditPage'), 'AuditPage'),
})

const orphans = createRoute({
  getParentRoute: () => inside,
  path: '/orphans',
  component: lazyRouteComponent(() => import('@/orphans/OrphansPage'), 'OrphansPage'),
})

const backup = createRoute({
  getParentRoute: () => inside,
  path: '/backups/$backupId',
  component: lazyRouteComponent(() => import('@/backups/detail/BackupDetailPage'), 'BackupDetailPage'),
})

const archive = createRoute({
  getParentRoute: () => inside,
  path: '/backups/$backupId/contents',
  validateSearch: readArchiveSearch,
  component: lazyRouteComponent(() => import('@/archive/ArchivePage'), 'ArchivePage'),
})

const restores = createRoute({
  getParentRoute: () => inside,
  path: '/restores',
  validateSearch: readRestoresSearch,
  component: lazyRouteComponent(() => import('@/restore/RestoresPage'), 'RestoresPage'),
})

const wizard = createRoute({
  getParentRoute: () => inside,
  path: '/restores/new',
  validateSearch: readWizardSearch,
  component: lazyRouteComponent(() => import('@/restore/RestoreWizard'), 'RestoreWizard'),
})

const restore = createRoute({
  getParentRoute: () => inside,
  path: '/restores/$restoreId',
  component: lazyRouteComponent(() => import('@/restore/RestorePage'), 'RestorePage'),
})

export const routeTree = root.addChildren([
  login,
  inside.addChildren([
    overview,
    backups,
    backup,
    archive,
    schedules,
    restores,
    wizard,
    restore,
    settings,
    recovery,
    audit,
    orphans,
  ]),
])
