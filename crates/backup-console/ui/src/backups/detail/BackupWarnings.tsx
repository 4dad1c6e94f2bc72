import { List, Text } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import type { Warning } from '@/api/schema'

/** More than are shown at once. */
const SHOWN = 100

/** Remarks that were made while a job ran. Their words are the server's. */
export function BackupWarnings({ warnings }: { warnings: Warning[] }) {
  const { t } = useTranslation('detail')
  return (
    <>
      <List size="sm" spacing={4}>
        {warnings.slice(0, SHOWN).map((warning, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the same remark may be there twice, and none moves
          <List.Item key={index} className="wrap-anywhere">
            <b>{t(`warnings.${warning.code}`)}</b>
            {warning.path && <> · {warning.path}</>}
            <br />
            <span lang="en">{warning.message}</span>
          </List.Item>
        ))}
      </List>
      {warnings.length > SHOWN && (
        <Text size="sm">{t('warnings.more', { count: warnings.length - SHOWN })}</Text>
      )}
    </>
  )
}
