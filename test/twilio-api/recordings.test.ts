import { and, eq, sql } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromSid, toSid } from '../../src/accounts/account.ts'
import { createApp } from '../../src/app.ts'
import { hearChannel } from '../../src/channels/events.ts'
import { createSweep } from '../../src/channels/sweep.ts'
import { phoneCalls, recordings, statusCallbacks } from '../../src/db/schema.ts'
import type { Platform, Switches } from '../../src/platform.ts'
import { sine, wav } from '../audio/sounds.ts'
import { type PlayedCall, playSwitch } from '../support/arrivals.ts'
import { actionsOf, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { credentialsOf, listenPublicly, twilioClient } from '../support/twilio.ts'
import { startWebhooks } from '../support/webhooks.ts'

// What of calls' recordings is seen with Twilio's own SDK; FreeSWITCH is played.

let platform: Platform
let app: Hono
let tenant: Tenant
let switched: ReturnType<typeof playSwitch>
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
let server: Awaited<ReturnType<typeof listenPublicly>>
let client: ReturnType<typeof twilioClient>

const told = 'recordingStatusCallback="/told" recordingStatusCallbackEvent="in-progress completed absent"'
const documents = {
  '/voicemail': `<Response><Say>Hello</Say><Record action="/over" ${told}/></Response>`,
  '/two': '<Response><Record action="/second"/></Response>',
  '/second': '<Response><Say>Again</Say><Record action="/over"/></Response>',
  '/dial': `<Response><Dial record="record-from-answer" action="/dialled" ${told}>+14155550001</Dial></Response>`,
  '/dialled': `<Response><Dial record="true" callerId="+12025550100" action="/over" ${told}>+14155550001</Dial></Response>`,
  '/over': '<Response><Hangup/></Response>',
  '/quiet': `<Response><Record action="/over" ${told}/><Redirect>/over</Redirect></Response>`,
  '/untrimmed': `<Response><Record trim="do-not-trim" action="/over" ${told}/></Response>`,
}

beforeAll(async () => {
  platform = await createTestPlatform({ API_SUBDOMAIN: '' })
  app = createApp(platform).switchApp
  switched = playSwitch(platform, app)
  webhooks = await startWebhooks(documents)
  server = await listenPublicly(platform)
  tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'pbx.example.com' })
  for (const [index, path] of Object.keys(documents).entries())
    await assignNumber(platform, tenant, `1415555111${index}`, { voiceUrl: webhooks.url(path) })
  client = twilioClient(credentialsOf(platform, tenant), server.url)
})
afterAll(async () => {
  await server.close()
  await webhooks.close()
  await platform.database.close()
})

const arrive = (path: keyof typeof documents) =>
  switched.arrive(`1415555111${Object.keys(documents).indexOf(path)}`)
/** A call that the SDK has ordered and that was answered. */
async function ordered(order: Partial<Parameters<typeof client.calls.create>[0]>) {
  const twiml = '<Response><Pause length="60"/></Response>'
  const { sid } = await client.calls.create({ to: '+14155550001', from: '+14155551110', twiml, ...order })
  const id = fromSid('CA', sid) ?? ''
  const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.id, id))
  const channelUuid = row?.channelUuid ?? ''
  const changes = { 'Unique-ID': channelUuid, 'Hunt-Destination-Number': id }
  const fetched = await post(app, '/freeswitch/xml', capturedFetch('dialplan-outbound-answered', changes))
  return { call: { id, channelUuid }, actions: actionsOf(await fetched.text()) }
}
const uploadIn = (actions: readonly string[]) =>
  actions.map((action) => /http_cache:\/\/(\S+)/.exec(action)?.[1]).find((found) => found !== undefined) ?? ''
const begins = (call: PlayedCall, actions: readonly string[]) =>
  hearChannel(platform, {
    ...{ kind: 'recording-started', channelUuid: call.channelUuid, at: new Date() },
    path: `http_cache://${uploadIn(actions)}`,
  })
const upload = async (actions: readonly string[], samples: Float64Array) => {
  const body = new Uint8Array(wav([samples], 8000))
  return (await app.request(new URL(uploadIn(actions)).pathname, { method: 'PUT', body })).status
}
const recordingsOf = async ({ id }: { id: string }) =>
  (await client.calls(toSid('CA', id)).recordings.list()).map(({ status, source }) => `${source} ${status}`)
const toldOf = async ({ id }: { id: string }) => {
  const told = await platform.db
    .select({ params: statusCallbacks.params })
    .from(statusCallbacks)
    .where(eq(statusCallbacks.callId, id))
    .orderBy(statusCallbacks.seq)
  return told.map(({ params }) => params.RecordingStatus ?? params.RecordingSid)
}

describe('a recording is there from its beginning', () => {
  test('none is left of a caller who hangs up during the greeting', async () => {
    const { call, actions } = await arrive('/voicemail')
    expect(actions.some((action) => action.startsWith('record '))).toBe(true)
    expect(await recordingsOf(call)).toEqual([])
    await switched.cdr(call.channelUuid)
    expect(await recordingsOf(call)).toEqual([])
    expect(await platform.db.select().from(recordings).where(eq(recordings.callId, call.id))).toEqual([])
    expect(await toldOf(call)).toEqual([])
    expect(await upload(actions, sine(440, 8000, 1))).toBe(404)
  })

  test('what has begun is in progress, and completed with its file, which comes before the CDR', async () => {
    const { call, actions } = await arrive('/voicemail')
    await begins(call, actions)
    expect(await recordingsOf(call)).toEqual(['RecordVerb in-progress'])
    expect(await upload(actions, sine(440, 8000, 1))).toBe(201)
    await switched.cdr(call.channelUuid)
    expect(await recordingsOf(call)).toEqual(['RecordVerb completed'])
    expect(await toldOf(call)).toEqual(['in-progress', 'completed'])
  })

  test('a file is enough, should the switch not have said that it began', async () => {
    const { call, actions } = await arrive('/voicemail')
    expect(await upload(actions, sine(440, 8000, 1))).toBe(201)
    expect(await recordingsOf(call)).toEqual(['RecordVerb completed'])
    expect(await toldOf(call)).toEqual(['in-progress', 'completed'])
  })

  test('a Record that was not reached does not pass for an earlier one', async () => {
    const { call, actions } = await arrive('/two')
    expect(await upload(actions, sine(440, 8000, 1))).toBe(201)
    await switched.comeBack(call, '1.0', '')
    expect(webhooks.asked.at(-1)).toMatchObject({ path: '/second' })
    await switched.cdr(call.channelUuid, { twiml_at: '2.1' })
    expect(await recordingsOf(call)).toEqual(['RecordVerb completed'])
    // Its action would have been told of the first Record's recording.
    expect(await toldOf(call)).toEqual([])
  })

  test('a Dial that rings nobody records nothing, and tells nothing of an earlier one', async () => {
    const { call, actions } = await arrive('/dial')
    expect(await upload(actions, sine(440, 8000, 1))).toBe(201)
    const next = await switched.comeBack(call, '1.0', 'SUCCESS')
    expect(webhooks.asked.at(-1)).toMatchObject({ path: '/dialled', fields: { DialCallStatus: 'completed' } })
    expect(webhooks.asked.at(-1)?.fields).toHaveProperty('RecordingUrl')
    expect(next.some((action) => /bridge|record/.test(action))).toBe(false)
    await switched.comeBack(call, '2.0', 'NO_ROUTE_DESTINATION')
    expect(webhooks.asked.at(-1)).toMatchObject({ path: '/over', fields: { DialCallStatus: 'failed' } })
    expect(webhooks.asked.at(-1)?.fields).not.toHaveProperty('RecordingUrl')
    expect(await platform.db.select().from(recordings).where(eq(recordings.callId, call.id))).toMatchObject([
      { source: 'DialVerb', status: 'completed', verb: '1.0' },
    ])
  })
})

describe('a recording of nothing but silence', () => {
  const silence = new Float64Array(16_000)

  test('by a Record is none, and the next verb follows', async () => {
    const { call, actions } = await arrive('/quiet')
    expect(await upload(actions, silence)).toBe(201)
    expect(await switched.comeBack(call, '1.0', '')).toContain('set twiml_at=1.1')
    expect(webhooks.asked.at(-1)).toMatchObject({ path: '/quiet' })
    expect(await recordingsOf(call)).toEqual(['RecordVerb absent'])
    expect(await toldOf(call)).toEqual(['in-progress', 'absent'])
  })

  test('by a Record that is not to be trimmed is one', async () => {
    const { call, actions } = await arrive('/untrimmed')
    expect(await upload(actions, silence)).toBe(201)
    await switched.comeBack(call, '1.0', '')
    expect(webhooks.asked.at(-1)).toMatchObject({ path: '/over', fields: { RecordingDuration: '2' } })
    expect(await recordingsOf(call)).toEqual(['RecordVerb completed'])
  })

  test('of a Dial is one', async () => {
    const { call, actions } = await arrive('/dial')
    expect(await upload(actions, silence)).toBe(201)
    expect(await recordingsOf(call)).toEqual(['DialVerb completed'])
    expect(await toldOf(call)).toEqual(['in-progress', 'completed'])
  })

  test.each([undefined, 'trim-silence', 'do-not-trim'])('of an API call is one (Trim %s)', async (trim) => {
    const { call, actions } = await ordered({ record: true, ...(trim === undefined ? {} : { trim }) })
    expect(await upload(actions, silence)).toBe(201)
    expect(await recordingsOf(call)).toEqual(['OutboundAPI completed'])
    const [recording] = await client.calls(toSid('CA', call.id)).recordings.list()
    expect(recording?.duration).toBe('2')
  })
})

test.each([
  [{}, ['false', 'false', 'false']],
  [{ recordingChannels: 'dual' }, ['true', 'false', 'false']],
  [{ recordingTrack: 'both' }, ['false', 'false', 'false']],
  [{ recordingTrack: 'inbound' }, ['false', 'true', 'false']],
  [{ recordingTrack: 'outbound' }, ['false', 'false', 'true']],
])('an API call is recorded as ordered: %j', async (order, [stereo, readOnly, writeOnly]) => {
  const { actions } = await ordered({ record: true, ...order })
  const first = actions.findIndex((action) => action.startsWith('sched_hangup'))
  expect(actions.slice(first + 1, first + 5)).toEqual([
    `set RECORD_STEREO=${stereo}`,
    `set RECORD_READ_ONLY=${readOnly}`,
    `set RECORD_WRITE_ONLY=${writeOnly}`,
    expect.stringMatching(/^record_session http_cache:/),
  ])
})

describe('the end of a call that was ordered with Record', () => {
  const statusCallback = 'https://app.example.com/status'
  const endOf = async ({ id }: PlayedCall) => {
    const [end] = await platform.db
      .select({ params: statusCallbacks.params })
      .from(statusCallbacks)
      .where(and(eq(statusCallbacks.callId, id), eq(statusCallbacks.url, statusCallback)))
    return end?.params ?? {}
  }

  test('tells of the recording', async () => {
    const { call, actions } = await ordered({ record: true, statusCallback })
    await begins(call, actions)
    await upload(actions, sine(440, 8000, 3))
    await switched.cdr(call.channelUuid)
    const [recording] = await client.calls(toSid('CA', call.id)).recordings.list()
    expect(await endOf(call)).toMatchObject({
      ...{ CallSid: toSid('CA', call.id), CallStatus: 'completed' },
      ...{ RecordingSid: recording?.sid, RecordingDuration: '3' },
      RecordingUrl: expect.stringContaining(`/Recordings/${recording?.sid}`),
    })
  })

  test('tells of none that is not there, nor of what a verb has recorded', async () => {
    const lost = await ordered({ record: true, statusCallback })
    await begins(lost.call, lost.actions)
    const twiml = '<Response><Record/></Response>'
    const verb = await ordered({ twiml, statusCallback })
    await upload(verb.actions, sine(440, 8000, 3))
    for (const { call } of [lost, verb]) {
      await switched.cdr(call.channelUuid)
      expect(await endOf(call)).toMatchObject({ CallStatus: 'completed' })
      expect(Object.keys(await endOf(call)).filter((name) => name.startsWith('Recording'))).toEqual([])
    }
  })
})

describe('a file that never comes', () => {
  const sweep = () => createSweep(platform, 300_000)({ views: () => [] } as unknown as Switches, new Map())
  const endedAgo = ({ id }: { id: string }, minutes: number) => {
    const at = sql`now() - ${minutes}::integer * interval '1 minute'`
    return platform.db.transaction(async (tx) => {
      await tx.update(phoneCalls).set({ endedAt: at }).where(eq(phoneCalls.id, id))
      await tx.update(recordings).set({ updatedAt: at }).where(eq(recordings.callId, id))
    })
  }

  test('leaves an absent recording ten minutes after the end of its call, and that is told once', async () => {
    const { call, actions } = await arrive('/voicemail')
    await begins(call, actions)
    await switched.cdr(call.channelUuid)
    await endedAgo(call, 9)
    await sweep()
    expect(await recordingsOf(call)).toEqual(['RecordVerb in-progress'])
    await endedAgo(call, 11)
    await Promise.all([sweep(), sweep()])
    expect(await recordingsOf(call)).toEqual(['RecordVerb absent'])
    expect(await toldOf(call)).toEqual(['in-progress', 'absent'])
    expect(await upload(actions, sine(440, 8000, 1))).toBe(404)
  })

  test('is waited for as long as its call runs', async () => {
    const { call, actions } = await arrive('/voicemail')
    await begins(call, actions)
    await platform.db
      .update(recordings)
      .set({ updatedAt: sql`now() - interval '1 hour'` })
      .where(eq(recordings.callId, call.id))
    await sweep()
    expect(await recordingsOf(call)).toEqual(['RecordVerb in-progress'])
  })

  test('nor is what never began kept, should no CDR come either', async () => {
    const { call } = await arrive('/voicemail')
    await endedAgo(call, 11)
    await sweep()
    expect(await platform.db.select().from(recordings).where(eq(recordings.callId, call.id))).toEqual([])
    expect(await toldOf(call)).toEqual([])
  })
})

test('all recordings are removed while they are paged through', async () => {
  const { call } = await arrive('/over')
  await platform.db.insert(recordings).values(
    Array.from({ length: 7 }, (_, index) => ({
      ...{ accountId: tenant.account.id, callId: call.id, uploadKey: `k${index}` },
      ...{ status: 'completed' as const, source: 'OutboundAPI' as const, duration: 1 },
    })),
  )
  let removed = 0
  const first = await client.recordings.page({ pageSize: 3 })
  for (let page: Awaited<ReturnType<typeof first.nextPage>> = first; page; page = await page.nextPage()) {
    // The edge of the page is gone by the time the next one is asked for.
    for (const { sid } of page.instances) expect(await client.recordings(sid).remove()).toBe(true)
    removed += page.instances.length
  }
  expect(removed).toBeGreaterThan(7)
  expect(await client.recordings.list()).toEqual([])
})
