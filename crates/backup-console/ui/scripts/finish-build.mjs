// After the build: compresses what is worth it, and holds the first load against its budget.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

/** Bytes of compressed JavaScript that the first page may need. */
const BUDGET = 300 * 1024
/** The page that people see first. */
const FIRST = 'src/overview/BackupManagement.tsx'

const dist = 'dist'

for (const file of readdirSync(dist, { recursive: true }).map(name => join(dist, name))) {
  if (!statSync(file).isFile() || !/\.(js|css|svg|json)$/.test(file)) continue
  const bytes = readFileSync(file)
  writeFileSync(
    `${file}.br`,
    brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  )
  writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }))
}

const manifest = JSON.parse(readFileSync(join(dist, 'manifest.json'), 'utf8'))
const needed = new Set()
const need = key => {
  const chunk = manifest[key]
  if (!chunk) throw new Error(`${key} is not in the build's manifest`)
  if (needed.has(chunk.file)) return
  needed.add(chunk.file)
  for (const other of chunk.imports ?? []) need(other)
}
need('index.html')
need(FIRST)
need('src/i18n/zh-TW/common.json')
const size = [...needed]
  .filter(file => file.endsWith('.js'))
  .reduce((sum, file) => sum + statSync(join(dist, `${file}.gz`)).size, 0)
for (const name of ['manifest.json', 'manifest.json.br', 'manifest.json.gz']) rmSync(join(dist, name))
console.log(`first load: ${(size / 1024).toFixed(0)} KiB of compressed JavaScript (at most ${BUDGET / 1024})`)
if (size > BUDGET) {
  console.error('HINT: Load what the first page does not show lazily.')
  process.exitCode = 1
}
