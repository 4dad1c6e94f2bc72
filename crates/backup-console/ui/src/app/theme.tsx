import { createTheme, defaultVariantColorsResolver, type MantineThemeOverride } from '@mantine/core'
import type { TFunction } from 'i18next'
import type { ComponentProps } from 'react'

/** The system's own fonts: nothing is fetched from elsewhere, and Chinese looks as it does everywhere else. */
const fonts =
  'system-ui, -apple-system, "Segoe UI", Roboto, "PingFang TC", "Microsoft JhengHei", "Noto Sans TC", "Noto Sans CJK TC", sans-serif'

/** How components look and what their own buttons are called, in the language of `t`. */
export function themeIn(t: TFunction): MantineThemeOverride {
  const closeButtonProps = { 'aria-label': t('action.close') }
  return createTheme({
    primaryColor: 'blue',
    // Shades that have enough contrast with white text, and on either background.
    primaryShade: { light: 8, dark: 8 },
    fontFamily: fonts,
    headings: { fontFamily: fonts },
    cursorType: 'pointer',
    respectReducedMotion: true,
    // Coloured text on the same colour, lighter, is hard to read.
    variantColorResolver: input => {
      const colors = defaultVariantColorsResolver(input)
      return input.variant === 'light' ? { ...colors, color: 'var(--mantine-color-text)' } : colors
    },
    components: {
      Badge: { defaultProps: { tt: 'none', radius: 'sm', miw: 'max-content' } },
      Notification: { defaultProps: { closeButtonProps } },
      // By keyboard too, which is not so by itself.
      PasswordInput: {
        defaultProps: { visibilityToggleButtonProps: { tabIndex: 0, 'aria-label': t('showTyped') } },
      },
      Modal: { defaultProps: { closeButtonProps } },
      // A page has one banner, and a dialog is not it.
      ModalHeader: { defaultProps: { renderRoot: (props: ComponentProps<'div'>) => <div {...props} /> } },
    },
  })
}
