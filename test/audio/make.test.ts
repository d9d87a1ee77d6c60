import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { make } from '../../src/audio/make.ts'
import type { Platform } from '../../src/platform.ts'
import { createTestPlatform } from '../support/platform.ts'
import { startServer } from '../webhooks/server.ts'
import { sine, wav } from './sounds.ts'

// How many conversions are under way: all of them, and those of each account.
const counts = vi.hoisted(() => ({ running: 0, highest: 0 }))
vi.mock('../../src/audio/telephone.ts', async (original) => {
  const { toTelephoneWav } = await original<typeof import('../../src/audio/telephone.ts')>()
  return {
    toTelephoneWav: async (bytes: Buffer) => {
      counts.highest = Math.max(counts.highest, ++counts.running)
      const converted = await toTelephoneWav(bytes)
      counts.running--
      return converted
    },
  }
})

let server: Awaited<ReturnType<typeof startServer>>
let platform: Platform
let [open, mostOpen] = [0, 0]
beforeAll(async () => {
  platform = await createTestPlatform()
  server = await startServer(async (_, response) => {
    mostOpen = Math.max(mostOpen, ++open)
    await new Promise((resolve) => setTimeout(resolve, 20))
    open--
    response.end(wav([sine(600, 16000, 5)], 16000))
  })
})
afterAll(async () => {
  await server.close()
  await platform.database.close()
})

const play = (accountId: string, n: number) =>
  make(
    platform.env,
    { source: { kind: 'play', url: `${server.url}/${accountId}/${n}` }, accountId },
    { urgent: false },
  )

test.each([
  ['one account', ['a'], 1, 2],
  ['many accounts', ['a', 'b', 'c', 'd'], 2, 8],
])('%s: few conversions at once, and few requests to one host', async (_, accounts, conversions, asked) => {
  counts.highest = 0
  mostOpen = 0
  const made = await Promise.all(
    accounts.flatMap((account) => Array.from({ length: 8 }, (_, n) => play(account, n))),
  )
  expect(made.filter((one) => 'problem' in one)).toEqual([])
  expect(counts.highest).toBe(conversions)
  expect(mostOpen).toBeLessThanOrEqual(asked)
})
