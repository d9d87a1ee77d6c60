import { randomUUID } from 'node:crypto'
import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { actionsOf, capturedCdr, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk } from '../support/rows.ts'

// On PostgreSQL (TEST_DATABASE_URL) the fetches of one process run on ten connections at once, so this is the race of
// several processes over one database; the embedded one takes them one by one.

let platform: Platform
let apps: Hono[]

beforeAll(async () => {
  platform = await createTestPlatform()
  apps = [1, 2, 3].map(() => createApp(platform).switchApp)
  const tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { maxChannels: 10 })
  await assignNumber(platform, tenant, '14155551234', { sipDomain: 'pbx.example.com' })
})
afterAll(() => platform.database.close())

async function arrive(app: Hono | undefined): Promise<string | null> {
  const channel = randomUUID()
  const response = await post(
    app as Hono,
    '/freeswitch/xml',
    capturedFetch('dialplan-inbound-source-ip', { 'Unique-ID': channel }),
  )
  const actions = actionsOf(await response.text())
  const admitted = actions.some((action) => action.startsWith('bridge'))
  if (!admitted) expect(actions.at(-1)).toBe('respond 503 Service Unavailable')
  return admitted ? channel : null
}

async function burst(): Promise<string[]> {
  const arrived = await Promise.all(Array.from({ length: 50 }, (_, n) => arrive(apps[n % 3])))
  return arrived.filter((channel) => channel !== null)
}

async function end(channel: string) {
  const cdr = JSON.parse(capturedCdr('cdr-inbound-gather'))
  cdr.variables.uuid = channel
  await post(apps[0] as Hono, '/freeswitch/cdr', JSON.stringify(cdr), 'application/json')
}

test('of fifty calls at once exactly ten are let in, and ten again when those have ended', async () => {
  const first = await burst()
  expect(first).toHaveLength(10)
  expect(await burst()).toHaveLength(0)
  await Promise.all(first.map(end))
  expect(await burst()).toHaveLength(10)
  const live = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.direction, 'inbound'))
  expect(live).toHaveLength(20)
  expect(live.filter(({ status }) => status === 'ringing')).toHaveLength(10)
})
