import { and, asc, eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toSid } from '../../src/accounts/account.ts'
import { createApp } from '../../src/app.ts'
import { hearChannel } from '../../src/channels/events.ts'
import { expectedChannels } from '../../src/channels/queries.ts'
import { accounts, phoneCalls, rates, statusCallbacks } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { type PlayedCall, playSwitch } from '../support/arrivals.ts'
import { eventually } from '../support/eventually.ts'
import { capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { startWebhooks } from '../support/webhooks.ts'

// Inbound calls and the legs of a Dial are told of like the calls of the API: one place does it for all.

let platform: Platform
let app: Hono
let tenant: Tenant
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
let switched: ReturnType<typeof playSwitch>

const noun = (number: string, callback = true) =>
  `<Number${callback ? ' statusCallback="/leg" statusCallbackEvent="initiated ringing answered completed"' : ''}>${number}</Number>`
const documents = {
  '/hangup': '<Response><Hangup/></Response>',
  '/dial': `<Response><Dial action="/again">${noun('+14155550001')}${noun('+14155550002')}</Dial></Response>`,
  '/again': `<Response><Dial action="/hangup" sequential="true">${noun('+14155550003', false)}${noun('+14155550004', false)}</Dial></Response>`,
}

beforeAll(async () => {
  platform = await createTestPlatform()
  app = createApp(platform).switchApp
  switched = playSwitch(platform, app)
  webhooks = await startWebhooks(documents)
  tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'pbx.example.com', maxChannels: 5 })
  const settings = { statusCallbackUrl: webhooks.url('/status') }
  await assignNumber(platform, tenant, '14155551111', { voiceUrl: webhooks.url('/hangup'), ...settings })
  await assignNumber(platform, tenant, '14155552222', { voiceUrl: webhooks.url('/dial'), ...settings })
})
afterAll(async () => {
  await webhooks.close()
  await platform.database.close()
})

const arrive = (number: string) => switched.arrive(number)
const comeBack = (call: PlayedCall, at: string, disposition: string) =>
  switched.comeBack(call, at, disposition)
const cdr = (channelUuid: string, changes: Record<string, string> = {}) => switched.cdr(channelUuid, changes)
const legsOf = (id: string) =>
  platform.db.select().from(phoneCalls).where(eq(phoneCalls.parentCallId, id)).orderBy(asc(phoneCalls.seq))
const told = async (id: string) => {
  const rows = await platform.db
    .select({ url: statusCallbacks.url, params: statusCallbacks.params })
    .from(statusCallbacks)
    .where(eq(statusCallbacks.orderKey, id))
    .orderBy(asc(statusCallbacks.seq))
  return rows.map(({ params }) => params)
}
const lines = async (id: string) =>
  (await told(id)).map(({ SequenceNumber, CallStatus }) => `${SequenceNumber} ${CallStatus}`)

test('the number that was called is told of the end, as at Twilio, and of nothing before', async () => {
  const { call } = await arrive('14155551111')
  expect(await told(call.id)).toEqual([])
  await hearChannel(platform, {
    ...{ kind: 'channel-answered', channelUuid: call.channelUuid ?? '', inbound: true },
    ...{ at: new Date(), ringingAt: null },
  })
  expect(await told(call.id)).toEqual([])
  await cdr(call.channelUuid ?? '')
  await cdr(call.channelUuid ?? '')
  expect(await told(call.id)).toMatchObject([
    {
      ...{ CallSid: toSid('CA', call.id), CallStatus: 'completed', SequenceNumber: '0' },
      ...{ Direction: 'inbound', From: '+19175551234', To: '+14155551111', CallDuration: '2' },
    },
  ])
})

test('the end of a call is charged in the transaction that ends it', async () => {
  const { db } = platform
  const billed = await createTenant(platform, 'Billed')
  await db.update(accounts).set({ billingEnabled: true }).where(eq(accounts.id, billed.account.id))
  await db.insert(rates).values({
    ...{ carrierId: billed.carrier.id, direction: 'inbound', prefix: '1', pricePerMinute: '0.03' },
  })
  await createTrunk(platform, billed, { sourceIps: ['127.0.0.77'] })
  await assignNumber(platform, billed, '14155553333', { voiceUrl: webhooks.url('/hangup') })
  const channelUuid = switched.freshUuid()
  const body = capturedFetch('dialplan-inbound-source-ip', {
    ...{ 'Unique-ID': channelUuid, 'Hunt-Destination-Number': '14155553333' },
    variable_sip_network_ip: '127.0.0.77',
  })
  await post(app, '/freeswitch/xml', body)
  await cdr(channelUuid, { billsec: '61' })
  const [call] = await db.select().from(phoneCalls).where(eq(phoneCalls.channelUuid, channelUuid))
  expect(call).toMatchObject({ status: 'completed', price: '0.06000', priceUnit: 'USD' })
})

test('each leg of a Dial has callbacks of its own, in order, whatever is heard late or never', async () => {
  const { call } = await arrive('14155552222')
  const [first, second] = await legsOf(call.id)
  if (first?.channelUuid == null || second?.channelUuid == null) throw new Error('The Dial has two legs.')
  expect([await lines(first.id), await lines(second.id)]).toEqual([['0 initiated'], ['0 initiated']])
  const at = new Date()
  const busy = { cause: 'USER_BUSY', sipCode: 486, answeredAt: null }
  await hearChannel(platform, {
    ...{ kind: 'channel-progress', channelUuid: first.channelUuid, at, earlyMedia: false },
  })
  await hearChannel(platform, {
    ...{ kind: 'channel-ended', channelUuid: first.channelUuid, at, ringingAt: at, ...busy },
  })
  // Nothing was heard of the second but its end.
  await hearChannel(platform, {
    ...{ kind: 'channel-ended', channelUuid: second.channelUuid, at, ringingAt: at, answeredAt: at },
    ...{ cause: 'NORMAL_CLEARING', sipCode: 200 },
  })
  await hearChannel(platform, {
    ...{ kind: 'channel-progress', channelUuid: second.channelUuid, at, earlyMedia: true },
  })
  expect(await lines(first.id)).toEqual(['0 initiated', '1 ringing', '2 busy'])
  expect(await lines(second.id)).toEqual(['0 initiated', '1 ringing', '2 in-progress', '3 completed'])
  await cdr(call.channelUuid ?? '')
  expect((await told(first.id))[0]).toMatchObject({
    ...{ ParentCallSid: toSid('CA', call.id), Direction: 'outbound-dial', To: '+14155550001' },
  })
})

test('legs that never were are ended with their Dial, those of the next Dial are not, nor swept', async () => {
  const { call } = await arrive('14155552222')
  const before = await legsOf(call.id)
  const actions = await comeBack(call, '1.0', 'NO_ANSWER')
  expect(actions.some((action) => action.startsWith('bridge '))).toBe(true)
  await eventually(async () => {
    for (const { id } of before)
      expect(
        await platform.db
          .select({ status: phoneCalls.status })
          .from(phoneCalls)
          .where(and(eq(phoneCalls.id, id))),
      ).toEqual([{ status: 'no-answer' }])
  })
  const inTurn = (await legsOf(call.id)).slice(2)
  expect(inTurn.map(({ status }) => status)).toEqual(['initiated', 'initiated'])
  await platform.db.update(phoneCalls).set({ startedAt: new Date(Date.now() - 60_000) })
  const expected = await expectedChannels(platform.db, call.switchName ?? '')
  expect(expected).toContain(call.channelUuid)
  expect(inTurn.filter(({ channelUuid }) => expected.includes(channelUuid ?? ''))).toEqual([])
  await cdr(call.channelUuid ?? '')
  expect((await legsOf(call.id)).slice(2).map(({ status }) => status)).toEqual(['canceled', 'canceled'])
})

test('a leg for which the trunk has no channel has failed, and its customer is told', async () => {
  const busy = await Promise.all(Array.from({ length: 4 }, () => arrive('14155551111')))
  const { call } = await arrive('14155552222')
  const legs = await legsOf(call.id)
  expect(legs.map(({ status, sipResponseCode }) => [status, sipResponseCode])).toEqual([
    ['failed', 503],
    ['failed', 503],
  ])
  for (const { id } of legs) expect(await lines(id)).toEqual(['0 failed'])
  for (const { call: other } of [...busy, { call }]) await cdr(other.channelUuid ?? '')
})

test('a channel that comes to life after its call is over is hung up', async () => {
  const { call } = await arrive('14155551111')
  const event = {
    ...{ kind: 'channel-progress' as const, channelUuid: call.channelUuid ?? '' },
    ...{ at: new Date(), earlyMedia: false },
  }
  expect(await hearChannel(platform, event)).toEqual({ hangUp: null })
  await cdr(call.channelUuid ?? '')
  expect(await hearChannel(platform, event)).toEqual({ hangUp: call.channelUuid })
  expect(await hearChannel(platform, { ...event, channelUuid: switched.freshUuid() })).toEqual({
    hangUp: null,
  })
})
