import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import './ui/ui.css'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Failure } from './api/failure'
import { App } from './app/App'
import { startI18n } from './i18n/i18n'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
await startI18n()
createRoot(root, {
  // What the server refuses is told where it happens, and is no fault of the page.
  onCaughtError: error => {
    if (!(error instanceof Failure)) reportError(error)
  },
}).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
