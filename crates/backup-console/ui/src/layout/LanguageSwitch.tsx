import { ActionIcon, Menu } from '@mantine/core'
import { IconLanguage } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import { changeLanguage } from '@/i18n/i18n'
import { LANGUAGES } from '@/i18n/language'

export function LanguageSwitch() {
  const { t, i18n } = useTranslation()
  return (
    <Menu>
      <Menu.Target>
        <ActionIcon variant="default" size="lg" aria-label={t('language.label')}>
          <IconLanguage size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {LANGUAGES.map(language => (
          <Menu.Item
            key={language}
            lang={language}
            aria-current={language === i18n.language}
            fw={language === i18n.language ? 700 : undefined}
            onClick={() => void changeLanguage(language)}
          >
            {t(`language.${language}`)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
