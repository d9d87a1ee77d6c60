import { sql } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { rows } from '../../src/db/connect.ts'
import type { Platform } from '../../src/platform.ts'
import { capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk } from '../support/rows.ts'
import { startWebhooks } from '../support/webhooks.ts'

let platform: Platform
let app: Hono
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
let gatewayId = ''
const statements: string[] = []

beforeAll(async () => {
  platform = await createTestPlatform({}, (text) => statements.push(text))
  app = createApp(platform).switchApp
  webhooks = await startWebhooks({
    '/voice':
      '<Response><Say>Hello</Say><Gather numDigits="1"><Say>Press one</Say></Gather><Hangup/></Response>',
  })
  const tenant = await createTenant(platform)
  await createTrunk(platform, tenant)
  const gateway = await createTrunk(platform, tenant, {
    authenticationMode: 'outbound_registration',
    username: 'u',
    password: 'p',
    outboundHost: 'pbx.example.com',
  })
  gatewayId = gateway.id
  await assignNumber(platform, tenant, '14155551234', { voiceUrl: webhooks.url('/voice') })
  await assignNumber(platform, tenant, '14155550777', { sipDomain: 'pbx.example.com' })
})
beforeEach(() => {
  statements.length = 0
})
afterAll(async () => {
  await webhooks.close()
  await platform.database.close()
})

test('an inbound call costs three statements, whatever its TwiML says', async () => {
  const response = await post(app, '/freeswitch/xml', capturedFetch('dialplan-inbound-source-ip'))
  expect(await response.text()).toContain('play_and_get_digits')
  expect(statements.map((text) => text.trim().split(/\s+/).slice(0, 3).join(' '))).toEqual([
    'WITH candidate AS',
    'WITH admitted AS',
    'WITH named AS',
  ])
})

test('a call to a sip_domain costs three, its leg included', async () => {
  const response = await post(
    app,
    '/freeswitch/xml',
    capturedFetch('dialplan-inbound-source-ip', {
      'Unique-ID': '00000000-0000-4000-8000-000000000001',
      'Hunt-Destination-Number': '14155550777',
    }),
  )
  expect(await response.text()).toContain('sip:14155550777@pbx.example.com')
  expect(statements).toHaveLength(3)
})

test('a refused call costs two', async () => {
  await post(
    app,
    '/freeswitch/xml',
    capturedFetch('dialplan-inbound-source-ip', { 'Hunt-Destination-Number': '14155550000' }),
  )
  expect(statements).toHaveLength(2)
})

test('the answer for one gateway costs two, one for its switch and one for it, whatever the number of gateways', async () => {
  await post(app, '/freeswitch/xml', capturedFetch('configuration-sofia-startgw', { gateway: gatewayId }))
  expect(statements).toHaveLength(2)
})

test('a digest user costs one', async () => {
  await post(app, '/freeswitch/xml', capturedFetch('directory-register-digest'))
  expect(statements).toHaveLength(1)
})

// The embedded database has no statements that it keeps.
test.skipIf(process.env.TEST_DATABASE_URL === undefined)(
  'PostgreSQL keeps the plans of what runs with each call, one for each statement however many calls come',
  async () => {
    for (let n = 10; n < 30; n++)
      await post(
        app,
        '/freeswitch/xml',
        capturedFetch('dialplan-inbound-source-ip', {
          'Unique-ID': `00000000-0000-4000-8000-0000000001${n}`,
          'Hunt-Destination-Number': n % 2 === 0 ? '14155550777' : '14155551234',
        }),
      )
    // Of whichever connection is asked: each has its own, and all have served calls.
    const kept = await Promise.all(Array.from({ length: 10 }, () => keptStatements()))
    for (const name of ['WITH candidate AS', 'WITH admitted AS', 'WITH way AS', 'WITH named AS']) {
      const times = kept.map((texts) => texts.filter((text) => text === name).length)
      expect(Math.max(...times), name).toBe(1)
    }
  },
)

async function keptStatements(): Promise<string[]> {
  const kept = await rows<{ statement: string }>(
    platform.db,
    sql`SELECT statement FROM pg_prepared_statements`,
  )
  return kept.map(({ statement }) => statement.trim().replace(/\s+/g, ' ').split(' ').slice(0, 3).join(' '))
}
