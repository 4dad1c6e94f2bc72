import { Breadcrumbs, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { trail } from './path'

interface Props {
  path: string
  /** What leads to a folder; the empty path is the whole backup. */
  link: (path: string, name: string) => ReactNode
}

/** Where one is in a backup, and the way back. */
export function PathTrail({ path, link }: Props) {
  const { t } = useTranslation('archive')
  const folders = [{ name: t('root'), path: '' }, ...trail(path)]
  return (
    <nav aria-label={t('trail')}>
      <Breadcrumbs style={{ flexWrap: 'wrap', rowGap: 4 }}>
        {folders.map((folder, index) =>
          index === folders.length - 1 ? (
            <Text key={folder.path} size="sm" fw={600} aria-current="page" className="wrap-anywhere">
              {folder.name}
            </Text>
          ) : (
            <span key={folder.path}>{link(folder.path, folder.name)}</span>
          ),
        )}
      </Breadcrumbs>
    </nav>
  )
}
