import { type MantineSize, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'

/** What is backed up where nobody says otherwise. */
export const DEFAULT_CONFIG = 'default'

/** The names of the configurations where there are several, so that it has to be said which one is meant; else none. */
export function useConfigKeys(): string[] {
  const { data } = $api.useQuery('get', '/api/admin/backup/configs')
  const keys = data?.configs.map(({ key }) => key) ?? []
  return keys.length > 1 ? keys : []
}

interface Props {
  of: string
  size?: MantineSize
}

/** Whose a backup is, where there are several configurations: backups of the same second have the same name. */
export function ConfigName({ of, size = 'xs' }: Props) {
  const { t } = useTranslation()
  if (useConfigKeys().length === 0) return null
  return (
    <Text size={size} className="wrap-anywhere">
      {t('config', { name: of })}
    </Text>
  )
}
