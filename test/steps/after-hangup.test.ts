import { asc, eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toSid } from '../../src/accounts/account.ts'
import { createApp } from '../../src/app.ts'
import { hearChannel } from '../../src/channels/events.ts'
import { phoneCalls, recordings, statusCallbacks } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { playSwitch } from '../support/arrivals.ts'
import { capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { startWebhooks } from '../support/webhooks.ts'

// A caller who hangs up inside a Record or a Dial: FreeSWITCH does not ask us again, and its CDR is all that comes.

let platform: Platform
let app: Hono
let tenant: Tenant
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
let switched: ReturnType<typeof playSwitch>

const documents = {
  '/record': '<Response><Record action="/recorded" method="GET" playBeep="false"/><Hangup/></Response>',
  '/recorded': '<Response><Pause/></Response>',
  '/dial': '<Response><Dial action="/dialled">+14155550001</Dial></Response>',
  '/dial-on': '<Response><Dial>+14155550001</Dial><Pause/></Response>',
  '/gather': '<Response><Gather action="/recorded" actionOnEmptyResult="true"/></Response>',
}

beforeAll(async () => {
  platform = await createTestPlatform()
  app = createApp(platform).switchApp
  switched = playSwitch(platform, app)
  webhooks = await startWebhooks(documents)
  tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'pbx.example.com' })
  for (const [index, path] of Object.keys(documents).entries())
    await assignNumber(platform, tenant, `1415555111${index}`, { voiceUrl: webhooks.url(path) })
})
afterAll(async () => {
  await webhooks.close()
  await platform.database.close()
})

const arrive = async (path: keyof typeof documents) =>
  (await switched.arrive(`1415555111${Object.keys(documents).indexOf(path)}`)).call
const hangUp = async (channelUuid: string, variables: Record<string, string>) =>
  expect((await switched.cdr(channelUuid, variables)).status).toBe(200)

/** As if FreeSWITCH had uploaded so many seconds. */
const record = ({ id }: { id: string }, duration: number) =>
  platform.db.update(recordings).set({ status: 'completed', duration }).where(eq(recordings.callId, id))

const told = ({ id }: { id: string }) =>
  platform.db
    .select({ url: statusCallbacks.url, method: statusCallbacks.method, params: statusCallbacks.params })
    .from(statusCallbacks)
    .where(eq(statusCallbacks.callId, id))
    .orderBy(asc(statusCallbacks.seq))

test('a Record that the caller has ended by hanging up asks its action, once', async () => {
  const call = await arrive('/record')
  await record(call, 7)
  await hangUp(call.channelUuid, { twiml_at: '1.0', playback_terminator_used: '' })
  await hangUp(call.channelUuid, { twiml_at: '1.0', playback_terminator_used: '' })
  expect(await told(call)).toMatchObject([
    {
      url: webhooks.url('/recorded'),
      method: 'GET',
      params: {
        ...{ CallSid: toSid('CA', call.id), CallStatus: 'completed', Digits: 'hangup' },
        ...{ RecordingDuration: '7', RecordingSid: expect.stringMatching(/^RE[0-9a-f]{32}$/) },
      },
    },
  ])
})

test('a Record of silence asks nothing, nor one whose action was asked before, nor any Gather', async () => {
  const silent = await arrive('/record')
  await hangUp(silent.channelUuid, { twiml_at: '1.0' })
  expect(await told(silent)).toEqual([])

  const over = await arrive('/record')
  await record(over, 7)
  const body = capturedFetch('dialplan-after-gather-digit', {
    ...{ 'Unique-ID': over.channelUuid, 'Hunt-Destination-Number': over.id },
    ...{ variable_twiml_at: '1.0', variable_playback_terminator_used: '#' },
  })
  await post(app, '/freeswitch/xml', body)
  expect(webhooks.asked.at(-1)).toMatchObject({ path: '/recorded', fields: { Digits: '#' } })
  await hangUp(over.channelUuid, { twiml_at: '1.0', playback_terminator_used: '#' })
  expect(await told(over)).toEqual([])

  const gather = await arrive('/gather')
  await hangUp(gather.channelUuid, { twiml_at: '1.0', digits: '5' })
  expect(await told(gather)).toEqual([])
})

test('a Dial that the caller leaves asks its action: joined, or while it rings', async () => {
  const joined = await arrive('/dial')
  const [leg] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.parentCallId, joined.id))
  if (leg?.channelUuid == null) throw new Error('The Dial has a leg.')
  const answeredAt = new Date(Date.now() - 60_000)
  await hearChannel(platform, {
    ...{ kind: 'channel-ended', channelUuid: leg.channelUuid, at: new Date(answeredAt.getTime() + 42_000) },
    ...{ cause: 'NORMAL_CLEARING', sipCode: 200, ringingAt: answeredAt, answeredAt },
  })
  const variables = { originate_disposition: 'SUCCESS', bridge_uuid: leg.channelUuid }
  await hangUp(joined.channelUuid, { twiml_at: '1.0', ...variables })
  expect(await told(joined)).toMatchObject([
    {
      url: webhooks.url('/dialled'),
      params: {
        ...{ DialCallStatus: 'completed', DialCallSid: toSid('CA', leg.id), DialCallDuration: '42' },
        CallStatus: 'completed',
      },
    },
  ])

  const ringing = await arrive('/dial')
  const left = { originate_disposition: 'ORIGINATOR_CANCEL', answer_uepoch: '0', answer_epoch: '0' }
  await hangUp(ringing.channelUuid, { twiml_at: '1.0', ...left })
  const [request] = await told(ringing)
  const [rung] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.parentCallId, ringing.id))
  expect(request?.params).toMatchObject({
    ...{ DialCallStatus: 'canceled', DialCallSid: toSid('CA', rung?.id ?? ''), CallStatus: 'no-answer' },
  })
  expect(request?.params).not.toHaveProperty('DialCallDuration')

  const on = await arrive('/dial-on')
  await hangUp(on.channelUuid, { twiml_at: '1.0', ...variables })
  expect(await told(on)).toEqual([])
})

test('what a CDR says of a call of its own choosing is not believed', async () => {
  for (const at of ['1', '1.0.0', '9.0', '1.99', '-1.0', '1.0 ', ''])
    await hangUp((await arrive('/record')).channelUuid, { twiml_at: at })
  const unknown = `00000000-0000-4000-9000-${'0'.repeat(12)}`
  await hangUp(unknown, { twiml_at: '1.0' })
})
