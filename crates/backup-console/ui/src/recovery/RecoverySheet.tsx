import { Alert, Button, Code, List, Stack, Table, Text, Title } from '@mantine/core'
import { IconPrinter } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { $api } from '@/api/client'
import type { BackupConfig } from '@/api/schema'
import { formatTimeExactly } from '@/i18n/format'
import { Boundary } from '@/ui/Boundary'
import { PageHeader } from '@/ui/PageHeader'
import { useNow } from '@/ui/useNow'
import { BY_HAND, CHECK, environment, REBUILD, RESTORE, ROLES } from './commands'
import classes from './RecoverySheet.module.css'

/** A page to print, for the day when everything else is lost. It names keys and never shows one. */
export function RecoverySheet() {
  const { t } = useTranslation('recovery')
  return (
    <Stack className={classes.sheet} maw={820}>
      <PageHeader title={t('title')}>
        <Button
          className={classes.hidden}
          leftSection={<IconPrinter size={18} aria-hidden />}
          onClick={() => window.print()}
        >
          {t('print')}
        </Button>
      </PageHeader>
      <Alert color="yellow" className={classes.hidden}>
        {t('why')}
      </Alert>
      <Boundary>
        <Sheet />
      </Boundary>
    </Stack>
  )
}

function Sheet() {
  const { t } = useTranslation('recovery')
  const { configs } = $api.useSuspenseQuery('get', '/api/admin/backup/configs').data
  const made = formatTimeExactly(new Date(useNow()).toISOString())
  return (
    <>
      <Text size="sm">{t('made', { time: made, address: window.location.origin })}</Text>
      <Title order={2} size="h5">
        {t('keys')}
      </Title>
      <Keys configs={configs} />
      <Text size="sm">{t('older')}</Text>
      <Title order={2} size="h5">
        {t('lost')}
      </Title>
      <List type="ordered" size="sm" spacing="sm">
        <List.Item>{t('step.machine')}</List.Item>
        <List.Item>
          {t('step.environment')}
          {configs.map(config => (
            <Code block key={config.key}>
              {configs.length > 1 && `# ${config.key}: ${config.storage}\n`}
              {environment(config)}
            </Code>
          ))}
        </List.Item>
        <List.Item>
          {t('step.check')}
          <Code block>{CHECK}</Code>
        </List.Item>
        <List.Item>
          {t('step.roles')}
          <Code block>{ROLES}</Code>
        </List.Item>
        <List.Item>
          {t('step.restore')}
          <Code block>{RESTORE}</Code>
        </List.Item>
        <List.Item>
          {t('step.rebuild')}
          <Code block>{REBUILD}</Code>
        </List.Item>
        <List.Item>{t('step.look')}</List.Item>
      </List>
      <Title order={2} size="h5">
        {t('byHand.title')}
      </Title>
      <Text size="sm">{t('byHand.fetch')}</Text>
      <Code block>{BY_HAND}</Code>
      <Text size="sm">{t('byHand.other')}</Text>
    </>
  )
}

function Keys({ configs }: { configs: BackupConfig[] }) {
  const { t } = useTranslation('recovery')
  return (
    <Table.ScrollContainer minWidth={560} scrollAreaProps={{ viewportProps: { tabIndex: 0 } }}>
      <Table withTableBorder withColumnBorders>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t('config')}</Table.Th>
            <Table.Th>{t('storage')}</Table.Th>
            <Table.Th>{t('fingerprint')}</Table.Th>
            <Table.Th>{t('passphrase')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {configs.map(config => (
            <Table.Tr key={config.key}>
              <Table.Td>{config.key}</Table.Td>
              <Table.Td className="wrap-anywhere">{config.storage}</Table.Td>
              <Table.Td>
                {config.encryptionEnabled ? (
                  <Code>{config.keyFingerprint ?? t('unknown')}</Code>
                ) : (
                  t('notEncrypted')
                )}
              </Table.Td>
              <Table.Td>
                <span className={classes.write} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}
