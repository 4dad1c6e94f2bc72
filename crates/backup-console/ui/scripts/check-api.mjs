// Fails where src/api/schema.d.ts is not what docs/openapi.json says.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'backup-console-'))
try {
  const made = join(folder, 'schema.d.ts')
  execFileSync('npm', ['run', '--silent', 'api'], {
    env: { ...process.env, BACKUP_API_TYPES: made },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (readFileSync(made, 'utf8') !== readFileSync('src/api/schema.d.ts', 'utf8')) {
    console.error('src/api/schema.d.ts does not fit docs/openapi.json. HINT: Run: npm run api')
    process.exitCode = 1
  }
} finally {
  rmSync(folder, { recursive: true })
}
