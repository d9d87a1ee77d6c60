import { existsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

const freeswitch = process.env.FREESWITCH
if (!freeswitch) {
  process.stdout.write(
    'No live tests: set FREESWITCH=/path/to/freeswitch to run them (they need SIPp as well).\n',
  )
  process.exit(0)
}
if (!existsSync(freeswitch)) {
  process.stderr.write(`FREESWITCH is wrong: there is no ${freeswitch}.\n`)
  process.exit(1)
}

export default defineConfig({
  test: {
    include: ['test/live/**/*.test.ts'],
    env: { TZ: 'UTC' },
    testTimeout: 90_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Each file has a switch and a server of its own; one at a time, so that the times measured are theirs.
    fileParallelism: false,
  },
})
