import { afterAll, beforeAll, expect, test } from 'vitest'
import { fromSid } from '../../src/accounts/account.ts'
import { accountById } from '../../src/accounts/queries.ts'
import { authTokenOf, carrierByToken } from '../../src/accounts/tokens.ts'
import { createDemo } from '../../src/demo.ts'
import type { Platform } from '../../src/platform.ts'
import { trunkById } from '../../src/trunks/queries.ts'
import { createTestPlatform } from '../support/platform.ts'

let platform: Platform
beforeAll(async () => {
  platform = await createTestPlatform()
})
afterAll(() => platform.database.close())

test('an empty database gets a demo carrier once, and what it prints opens the doors', async () => {
  const demo = await createDemo(platform)
  if (demo === null) throw new Error('Expected a demo.')
  expect(await createDemo(platform)).toBeNull()

  const bearer = await carrierByToken(platform.db, demo.carrierToken)
  const account = await accountById(platform.db, fromSid('AC', demo.accountSid) ?? '')
  if (account === null) throw new Error('Expected an account.')
  expect(account.carrierId).toBe(bearer?.carrier.id)
  expect(authTokenOf(platform.keys, account)).toBe(demo.authToken)
  expect(demo.authToken).toMatch(/^[0-9a-f]{32}$/)

  expect(await trunkById(platform.db, demo.trunkId)).toMatchObject({
    authenticationMode: 'ip_address',
    sourceIps: ['192.0.2.1'],
    outboundRoutePrefixes: [],
    region: 'hydrogen',
    inboundCountry: 'US',
    version: 1,
  })
})
