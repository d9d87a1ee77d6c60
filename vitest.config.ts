import { defineConfig, type TestProjectConfiguration } from 'vitest/config'

const measuring = 'test/**/*.alone.test.ts'

export default defineConfig({
  test: {
    globalSetup: ['test/support/template.ts'],
    projects: [
      project(0, {
        name: 'suite',
        include: ['test/**/*.test.ts'],
        exclude: ['test/live/**', measuring],
        maxWorkers: 2,
      }),
      // What judges times has the machine to itself, and is measured again where that was busy with something else.
      project(1, { name: 'measuring', include: [measuring], maxWorkers: 1, retry: 2 }),
    ],
  },
})

type Options = NonNullable<Extract<TestProjectConfiguration, { test?: unknown }>['test']>

function project(groupOrder: number, options: Options): TestProjectConfiguration {
  const env = { TZ: 'UTC' }
  const sequence = { groupOrder }
  return { test: { env, testTimeout: 60_000, hookTimeout: 60_000, pool: 'forks', sequence, ...options } }
}
