import { NavLink } from '@mantine/core'
import {
  IconCalendarClock,
  IconDatabaseExport,
  IconFileUnknown,
  IconLayoutDashboard,
  IconListDetails,
  IconRestore,
  IconSettings,
} from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Access, useCan } from '@/session/me'

/** The pages in the navigation, and what their routes ask for. */
const PAGES = [
  { to: '/', label: 'navigation.overview', Icon: IconLayoutDashboard, access: 'READ' },
  { to: '/backups', label: 'navigation.backups', Icon: IconDatabaseExport, access: 'READ' },
  { to: '/schedules', label: 'navigation.schedules', Icon: IconCalendarClock, access: 'READ' },
  { to: '/restores', label: 'navigation.restores', Icon: IconRestore, access: 'READ' },
  { to: '/orphans', label: 'navigation.orphans', Icon: IconFileUnknown, access: 'ADMIN' },
  { to: '/settings', label: 'navigation.settings', Icon: IconSettings, access: 'READ' },
  { to: '/audit', label: 'navigation.audit', Icon: IconListDetails, access: 'ADMIN' },
] as const satisfies { to: string; label: string; Icon: typeof IconLayoutDashboard; access: Access }[]

export function Navigation({ onNavigate }: { onNavigate: () => void }) {
  const { t } = useTranslation()
  const can = useCan()
  return PAGES.filter(({ access }) => can(access)).map(({ to, label, Icon }) => (
    <Link key={to} to={to} activeOptions={{ exact: to === '/', includeSearch: false }}>
      {({ isActive }: { isActive: boolean }) => (
        <NavLink
          component="span"
          label={t(label)}
          leftSection={<Icon size={18} aria-hidden />}
          active={isActive}
          // Coloured text on the same colour, lighter, is hard to read.
          c="var(--mantine-color-text)"
          onClick={onNavigate}
        />
      )}
    </Link>
  ))
}
