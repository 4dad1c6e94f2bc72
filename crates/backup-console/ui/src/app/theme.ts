import { createTheme } from '@mantine/core'

/** The system's own fonts: nothing is fetched from elsewhere, and Chinese looks as it does everywhere else. */
const fonts =
  'system-ui, -apple-system, "Segoe UI", Roboto, "PingFang TC", "Microsoft JhengHei", "Noto Sans TC", "Noto Sans CJK TC", sans-serif'

export const theme = createTheme({
  primaryColor: 'blue',
  // Shades that have enough contrast with white text, and on either background.
  primaryShade: { light: 8, dark: 8 },
  fontFamily: fonts,
  headings: { fontFamily: fonts },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Badge: { defaultProps: { tt: 'none', radius: 'sm' } },
    Menu: { defaultProps: { withinPortal: true } },
  },
})
