import { defineConfig } from 'vitest/config'

/** Tests in a real browser against a running server, which `tests/tests/console.rs` starts and describes to them. */
export default defineConfig({
  test: {
    environment: 'node',
    include: ['browser/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
})
