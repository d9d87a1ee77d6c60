import { randomUUID } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { createSweep } from '../../src/channels/sweep.ts'
import { phoneCalls, switches } from '../../src/db/schema.ts'
import type { Platform, Switches } from '../../src/platform.ts'
import { takeHold } from '../../src/switches/hold.ts'
import { actionsOf, capturedCdr, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk } from '../support/rows.ts'

// A switch that never comes back tells nobody how its calls ended. They hold their trunk's channels no longer than it takes
// to be sure of it.

let platform: Platform
let app: Hono
const id = '10.0.0.1:8021'

beforeEach(async () => {
  platform = await createTestPlatform({ EVENT_SOCKET: 'on' })
  app = createApp(platform).switchApp
  const tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { maxChannels: 1 })
  await assignNumber(platform, tenant, '14155551234', { voiceUrl: 'http://127.0.0.1:9/never' })
  await platform.db.insert(switches).values({ id, region: 'hydrogen', state: 'down' })
  await takeHold(platform.db, id, randomUUID(), 'lost-1')
})
afterEach(() => platform.database.close())

async function arrive(hostname: string): Promise<{ channelUuid: string; refused: boolean }> {
  const channelUuid = randomUUID()
  const body = capturedFetch('dialplan-inbound-source-ip', { 'Unique-ID': channelUuid, hostname })
  const actions = actionsOf(await (await post(app, '/freeswitch/xml', body)).text())
  return { channelUuid, refused: actions.at(-1) === 'respond 503 Service Unavailable' }
}

async function callOf(channelUuid: string) {
  const [call] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.channelUuid, channelUuid))
  return call
}

const age = (minutes: number) =>
  platform.db.transaction(async (tx) => {
    const by = sql`${minutes}::integer * interval '1 minute'`
    await tx.execute(sql`UPDATE switches SET seen_at = seen_at - ${by}, since = since - ${by}`)
    await tx.execute(
      sql`UPDATE phone_calls SET started_at = started_at - ${by}, ringing_at = ringing_at - ${by}, answered_at = answered_at - ${by}`,
    )
  })

const lookOnce = async (goneFor = 0, env = {}) => {
  const sweep = createSweep({ ...platform, env: { ...platform.env, ...env } }, goneFor)
  await sweep({ views: () => [] } as unknown as Switches, new Map())
}

test('the calls of a switch that has not been seen for five minutes end when it was last seen', async () => {
  const { channelUuid } = await arrive('lost-1')
  await platform.db.execute(sql`UPDATE phone_calls SET status = 'in-progress', answered_at = ringing_at`)
  await platform.db.execute(
    sql`UPDATE switches SET seen_at = answered_at + interval '90.5 seconds' FROM phone_calls`,
  )
  await age(5)
  await lookOnce()
  expect(await callOf(channelUuid)).toMatchObject({ status: 'in-progress' })
  await age(2)
  expect(await arrive('other')).toMatchObject({ refused: true })
  await lookOnce()
  expect(await callOf(channelUuid)).toMatchObject({ status: 'completed', hangupCause: null, duration: 90 })
  expect(await arrive('other')).toMatchObject({ refused: false })
})

test('a CDR that comes after all tells how such a call ended', async () => {
  const { channelUuid } = await arrive('lost-1')
  await age(6)
  await lookOnce()
  expect(await callOf(channelUuid)).toMatchObject({ status: 'failed', hangupCause: null })
  const record = JSON.parse(capturedCdr('cdr-inbound-gather'))
  record.variables.uuid = channelUuid
  await post(app, '/freeswitch/cdr', JSON.stringify(record), 'application/json')
  expect(await callOf(channelUuid)).toMatchObject({ status: 'completed', hangupCause: 'NORMAL_CLEARING' })
})

test('a switch that has come back under another name has none of the calls of its former one', async () => {
  const { channelUuid } = await arrive('lost-1')
  await age(4)
  await takeHold(platform.db, id, randomUUID(), 'lost-2')
  await lookOnce()
  expect(await callOf(channelUuid)).toMatchObject({ status: 'ringing' })
  await age(6)
  await takeHold(platform.db, id, randomUUID(), 'lost-2')
  await lookOnce()
  expect(await callOf(channelUuid)).toMatchObject({ status: 'failed' })
})

describe('a call goes on', () => {
  const goesOn = async (look: () => Promise<unknown>, hostname = 'lost-1') => {
    const { channelUuid } = await arrive(hostname)
    await age(30)
    await look()
    expect(await callOf(channelUuid)).toMatchObject({ status: 'ringing' })
  }

  test('while nobody has looked for its switch for so long', () => goesOn(() => lookOnce(300_000)))

  test('while EVENT_SOCKET is off', () => goesOn(() => lookOnce(0, { EVENT_SOCKET: false })))

  test('on a switch that was never seen', () => goesOn(() => lookOnce(), 'unknown'))

  test('on a switch that is seen, and on one that shows itself by a new call', () =>
    goesOn(async () => {
      await takeHold(platform.db, id, randomUUID(), 'lost-1')
      await lookOnce()
      await age(30)
      await platform.db.execute(sql`UPDATE sip_trunks SET max_channels = 2`)
      expect(await arrive('lost-1')).toMatchObject({ refused: false })
      await lookOnce()
    }))

  test('on a switch that nobody holds, as long as it says that it has its channel', async () => {
    const { channelUuid } = await arrive('lost-1')
    await age(30)
    const reachable = new Map([['lost-1', { id, commands: {} as never }]])
    const look = (channels: Map<string, { answeredInbound: boolean }> | null) =>
      createSweep(platform, 0)(
        { views: () => [], liveChannels: async () => channels } as unknown as Switches,
        reachable,
      )
    await look(new Map([[channelUuid, { answeredInbound: false }]]))
    await look(null)
    expect(await callOf(channelUuid)).toMatchObject({ status: 'ringing' })
    await look(new Map())
    expect(await callOf(channelUuid)).toMatchObject({ status: 'failed' })
  })
})
