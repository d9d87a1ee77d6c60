import { asc, eq, sql } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { chargeAssumed } from '../../src/calls/charge.ts'
import { endLegsLeftRinging } from '../../src/calls/progress.ts'
import { selectCallRecords, setPrice } from '../../src/calls/record.ts'
import { hearChannel } from '../../src/channels/events.ts'
import { accounts, phoneCalls, rates } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { playSwitch } from '../support/arrivals.ts'
import { post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'

// A call whose end is assumed is charged by what its CDR tells, or an hour later as it stands.

let platform: Platform
let app: Hono
let tenant: Tenant
let switched: ReturnType<typeof playSwitch>
const called = '14155551234'

beforeAll(async () => {
  platform = await createTestPlatform()
  app = createApp(platform).switchApp
  switched = playSwitch(platform, app)
  tenant = await createTenant(platform)
  await platform.db.update(accounts).set({ billingEnabled: true }).where(eq(accounts.id, tenant.account.id))
  const rate = { carrierId: tenant.carrier.id, prefix: '' }
  await platform.db.insert(rates).values([
    { ...rate, direction: 'outbound', pricePerMinute: '0.50000' },
    { ...rate, direction: 'inbound', pricePerMinute: '0.10000' },
  ])
  await createTrunk(platform, tenant, { outboundHost: 'far.example.com', outboundRoutePrefixes: ['1'] })
  await assignNumber(platform, tenant, called, { sipDomain: '10.0.0.5:5070' })
})
afterAll(() => platform.database.close())

async function arriveWithLeg() {
  const { call } = await switched.arrive(called)
  const [leg] = await legsOf(call.id)
  if (leg === undefined) throw new Error('The call has no leg.')
  return { parent: call, leg }
}

const legsOf = (id: string) =>
  platform.db.select().from(phoneCalls).where(eq(phoneCalls.parentCallId, id)).orderBy(asc(phoneCalls.seq))

async function stateOf(id: string) {
  const [call] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.id, id))
  return call && [call.status, call.duration, call.price]
}

// It talked for ten minutes.
function cdr(channelUuid: string | null) {
  const now = Date.now() * 1000
  const times = {
    progress_uepoch: String(now - 601e6),
    answer_uepoch: String(now - 600e6),
    end_uepoch: String(now),
  }
  const variables = { ...times, uuid: channelUuid, billsec: '600', hangup_cause: 'NORMAL_CLEARING' }
  return post(app, '/freeswitch/cdr', JSON.stringify({ variables }), 'application/json')
}

test('a leg whose answer was not heard is charged when its own CDR tells of it', async () => {
  const { parent, leg } = await arriveWithLeg()
  await cdr(parent.channelUuid)
  expect(await stateOf(parent.id)).toEqual(['completed', 600, '1.00000'])
  expect(await stateOf(leg.id)).toEqual(['canceled', 0, null])
  for (let twice = 0; twice < 2; twice++) await cdr(leg.channelUuid)
  expect(await stateOf(leg.id)).toEqual(['completed', 600, '5.00000'])
  await platform.db.execute(sql`UPDATE phone_calls SET charge_due_at = charge_due_at - interval '2 hours'`)
  await chargeAssumed(platform.db)
  expect(await stateOf(leg.id)).toEqual(['completed', 600, '5.00000'])
})

test('a price that the carrier sets in between stays', async () => {
  const { parent, leg } = await arriveWithLeg()
  await cdr(parent.channelUuid)
  const all = { where: eq(phoneCalls.id, leg.id), orderBy: [asc(phoneCalls.seq)], limit: 1 }
  const [record] = await selectCallRecords(platform.db, tenant.carrier.id, all as never)
  if (record === undefined) throw new Error('There is no such call.')
  await setPrice(platform.db, tenant.carrier, record, '0.07')
  await cdr(leg.channelUuid)
  expect(await stateOf(leg.id)).toEqual(['completed', 600, '0.07000'])
})

test('what stays assumed for an hour is charged as it stands', async () => {
  const { parent, leg } = await arriveWithLeg()
  await cdr(parent.channelUuid)
  await chargeAssumed(platform.db)
  expect(await stateOf(leg.id)).toEqual(['canceled', 0, null])
  await platform.db.execute(sql`UPDATE phone_calls SET charge_due_at = charge_due_at - interval '61 minutes'`)
  await Promise.all([chargeAssumed(platform.db), chargeAssumed(platform.db)])
  expect(await stateOf(leg.id)).toEqual(['canceled', 0, '0.00000'])
  const owed = await platform.db.select().from(phoneCalls).where(sql`charge_due_at IS NOT NULL`)
  expect(owed).toEqual([])
})

async function ringing() {
  const { parent, leg } = await arriveWithLeg()
  const channelUuid = leg.channelUuid ?? ''
  await hearChannel(platform, { kind: 'channel-progress', channelUuid, at: new Date(), earlyMedia: false })
  await cdr(parent.channelUuid)
  expect(await stateOf(leg.id)).toEqual(['ringing', null, null])
  await endLegsLeftRinging(platform.db)
  expect(await stateOf(leg.id)).toEqual(['ringing', null, null])
  return { parent, leg }
}

test('a leg that rings has a moment to tell that it was answered', async () => {
  const { leg } = await ringing()
  await cdr(leg.channelUuid)
  expect(await stateOf(leg.id)).toEqual(['completed', 600, '5.00000'])
})

test('a leg that rings and says nothing more is ended', async () => {
  const { parent, leg } = await ringing()
  await platform.db.execute(
    sql`UPDATE phone_calls SET updated_at = now() - interval '4 seconds' WHERE id = ${parent.id}::uuid`,
  )
  await endLegsLeftRinging(platform.db)
  expect(await stateOf(leg.id)).toEqual(['canceled', 0, null])
})
