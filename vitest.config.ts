import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'hub',
          include: ['test/{unit,contracts,api,house,simulators,media}/**/*.test.ts'],
          environment: 'node',
          testTimeout: 20_000,
        },
      },
      {
        // Real servers, real processes, a real browser: one file at a time.
        test: {
          name: 'flows',
          include: ['test/{flows,faults}/**/*.test.ts'],
          environment: 'node',
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        plugins: [svelte({ configFile: false })],
        resolve: { conditions: ['browser'] },
        test: { name: 'console', include: ['test/console/**/*.test.ts'], environment: 'jsdom' },
      },
    ],
  },
})
