import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { eq } from 'drizzle-orm'
import twilio from 'twilio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toSid } from '../../src/accounts/account.ts'
import { phoneCalls, recordings, statusCallbacks } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { credentialsOf, listenPublicly, twilioClient } from '../support/twilio.ts'

// Twilio's official SDK against a listening server: what it sends is what customers send, and what it makes of the answers
// is what they get.

let platform: Platform
let server: Awaited<ReturnType<typeof listenPublicly>>
let tenant: Tenant
let client: ReturnType<typeof twilioClient>
let numberSid: string
const from = '+19175559876'
const url = 'https://app.example.com/outbound-voice'

beforeAll(async () => {
  platform = await createTestPlatform({ API_SUBDOMAIN: '' })
  server = await listenPublicly(platform)
  tenant = await createTenant(platform)
  await createTrunk(platform, tenant, {
    name: 'US',
    outboundHost: 'pbx.example.com',
    outboundRoutePrefixes: ['1'],
  })
  const number = await assignNumber(platform, tenant, '19175559876', { friendlyName: 'Front desk' })
  numberSid = toSid('PN', number.id)
  client = twilioClient(credentialsOf(platform, tenant), server.url)
})
afterAll(async () => {
  await server.close()
  await platform.database.close()
})

const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail('It should have been refused.'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(twilio.RestException)
      const { status, code, message, moreInfo } = error as InstanceType<typeof twilio.RestException>
      expect(moreInfo).toBe(`https://www.twilio.com/docs/errors/${code}`)
      return { status, code, message }
    },
  )

describe('calls', () => {
  test('a call is created, and fetched as it was created', async () => {
    const call = await client.calls.create({ to: '+14155551234', from, url })
    expect(call).toMatchObject({
      sid: expect.stringMatching(/^CA[0-9a-f]{32}$/),
      accountSid: toSid('AC', tenant.account.id),
      to: '+14155551234',
      toFormatted: '(415) 555-1234',
      from: '+19175559876',
      fromFormatted: '(917) 555-9876',
      phoneNumberSid: numberSid,
      parentCallSid: null,
      status: 'queued',
      direction: 'outbound-api',
      apiVersion: '2010-04-01',
      duration: null,
      price: null,
      priceUnit: 'USD',
      startTime: null,
      endTime: null,
      uri: expect.stringMatching(/^\/2010-04-01\/Accounts\/AC[0-9a-f]{32}\/Calls\/CA[0-9a-f]{32}\.json$/),
    })
    expect(call.dateCreated).toBeInstanceOf(Date)
    expect(Math.abs(call.dateCreated.getTime() - Date.now())).toBeLessThan(5000)
    expect((await client.calls(call.sid).fetch()).toJSON()).toEqual(call.toJSON())
    const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.to, '+14155551234'))
    expect(row).toMatchObject({
      routeSteps: [{ looked_at: 'sip_trunk', name: 'US', kept: true, reason: 'Its route prefix 1 matches.' }],
      instructions: {
        first: { kind: 'webhook', url, method: 'POST' },
        order: { timeoutSeconds: 60, timeLimitSeconds: 14400 },
      },
    })
  })

  test('everything that can be ordered with a call is kept', async () => {
    const call = await client.calls.create({
      to: '+14155550001',
      from,
      url,
      method: 'GET',
      fallbackUrl: 'https://app.example.com/fallback',
      fallbackMethod: 'GET',
      statusCallback: 'https://app.example.com/status',
      statusCallbackMethod: 'GET',
      statusCallbackEvent: ['initiated', 'ringing', 'answered', 'completed'],
      timeout: 25,
      timeLimit: 600,
      record: true,
      recordingChannels: 'dual',
      recordingTrack: 'outbound',
      trim: 'do-not-trim',
      recordingStatusCallback: 'https://app.example.com/recording',
      recordingStatusCallbackEvent: ['in-progress', 'completed'],
      sendDigits: 'ww1234#',
    })
    const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.to, call.to))
    expect(row).toMatchObject({
      statusCallbackUrl: 'https://app.example.com/status',
      statusCallbackMethod: 'GET',
      statusCallbackEvents: ['initiated', 'ringing', 'answered', 'completed'],
      instructions: {
        first: { kind: 'webhook', url, method: 'GET' },
        fallbackUrl: 'https://app.example.com/fallback',
        fallbackMethod: 'GET',
        order: {
          timeoutSeconds: 25,
          timeLimitSeconds: 600,
          sendDigits: 'ww1234#',
          recording: {
            channels: 2,
            track: 'outbound',
            trim: false,
            callback: { url: 'https://app.example.com/recording', method: 'POST' },
            events: ['in-progress', 'completed'],
          },
        },
      },
    })
  })

  test('TwiML can come along, also as the SDK builds it', async () => {
    const twiml = new twilio.twiml.VoiceResponse()
    twiml.say('Hello')
    const call = await client.calls.create({ to: '+14155550002', from, twiml })
    const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.to, call.to))
    expect(row?.instructions.first).toEqual({ kind: 'document', text: twiml.toString() })
  })

  test('a SIP URI is called without a trunk', async () => {
    const call = await client.calls.create({ to: 'sip:alice@pbx.example.com', from, url })
    expect(call).toMatchObject({ to: 'sip:alice@pbx.example.com', toFormatted: 'sip:alice@pbx.example.com' })
    const loud = await client.calls.create({ to: 'SIP:bob@pbx.example.com', from, url })
    const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.to, loud.to))
    expect(row).toMatchObject({ sipTrunkId: null, routeSteps: [] })
  })

  test('a queued call is cancelled, and then can no more be changed', async () => {
    const call = await client.calls.create({ to: '+14155550003', from, url })
    const cancelled = await client.calls(call.sid).update({ status: 'canceled' })
    expect(cancelled).toMatchObject({ status: 'canceled', duration: '0' })
    expect(cancelled.endTime).toBeInstanceOf(Date)
    for (const change of [
      { status: 'completed' as const },
      { status: 'canceled' as const },
      { url },
      { timeLimit: 9 },
      { statusCallback: url },
    ])
      expect(await rejection(client.calls(call.sid).update(change))).toEqual({
        status: 400,
        code: 21220,
        message: 'Invalid call state: the call is over',
      })
  })

  test('a queued call gets other instructions', async () => {
    const call = await client.calls.create({ to: '+14155550004', from, url })
    const other = 'https://app.example.com/other'
    const updated = await client
      .calls(call.sid)
      .update({ url: other, method: 'GET', fallbackUrl: 'https://app.example.com/f' })
    expect(updated.status).toBe('queued')
    const read = async () =>
      (await platform.db.select().from(phoneCalls).where(eq(phoneCalls.to, call.to)))[0]?.instructions
    expect(await read()).toMatchObject({
      first: { kind: 'webhook', url: other, method: 'GET' },
      fallbackUrl: 'https://app.example.com/f',
    })
    await client.calls(call.sid).update({ twiml: '<Response><Hangup/></Response>' })
    expect(await read()).toMatchObject({
      first: { kind: 'document', text: '<Response><Hangup/></Response>' },
    })
  })

  test('a queued call gets another callback, time limit and fallback, each by itself', async () => {
    const events = ['initiated', 'completed']
    const call = await client.calls.create({ to: '+14155550005', from, url, statusCallbackEvent: events })
    const told = await client.calls.create({
      ...{ to: '+14155550006', from, url, statusCallback: `${url}/old` },
      ...{ statusCallbackEvent: events, statusCallbackMethod: 'GET' },
    })
    const read = async ({ to }: { to: string }) => {
      const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.to, to))
      return row
    }
    const before = (await read(call))?.instructions
    await client.calls(call.sid).update({ statusCallback: `${url}/status` })
    expect(await read(call)).toMatchObject({
      ...{ statusCallbackUrl: `${url}/status`, statusCallbackMethod: 'POST', statusCallbackEvents: null },
      instructions: before,
    })
    await client.calls(call.sid).update({ statusCallbackMethod: 'GET' })
    expect(await read(call)).toMatchObject({
      ...{ statusCallbackUrl: `${url}/status`, statusCallbackMethod: 'GET' },
    })
    await client.calls(call.sid).update({ timeLimit: 90 })
    await client.calls(call.sid).update({ fallbackUrl: `${url}/fallback`, fallbackMethod: 'GET' })
    expect((await read(call))?.instructions).toEqual({
      ...before,
      order: { timeoutSeconds: 60, timeLimitSeconds: 90 },
      ...{ fallbackUrl: `${url}/fallback`, fallbackMethod: 'GET' },
    })
    expect(await read(call)).toMatchObject({ statusCallbackUrl: `${url}/status`, status: 'queued' })

    // The events that were asked for go to the new address, the end of the call by this very request among them.
    await client.calls(told.sid).update({ statusCallback: `${url}/new`, status: 'canceled' })
    const [end] = await platform.db
      .select()
      .from(statusCallbacks)
      .where(eq(statusCallbacks.callId, (await read(told))?.id ?? ''))
    expect(end).toMatchObject({ url: `${url}/new`, method: 'POST', params: { CallStatus: 'canceled' } })
    expect((await read(told))?.statusCallbackEvents).toEqual(events)
  })

  test.each([
    [{ statusCallback: 'x://y' }, 21609, 'StatusCallback must be an http or https URL: "x://y"'],
    [{ statusCallbackMethod: 'PUT' }, 21209, 'StatusCallbackMethod must be one of GET, POST, not "PUT"'],
    [{ timeLimit: 0 }, 20001, 'TimeLimit must be a whole number from 1 to 86400, not "0"'],
    [{ fallbackUrl: 'x' }, 21205, 'FallbackUrl must be an absolute URL: "x"'],
  ])('the change %j is %i, and nothing is changed', async (change, code, message) => {
    const { sid } = await client.calls.create({ to: '+14155550009', from, url })
    const all = { statusCallback: `${url}/status`, timeLimit: 9, ...change }
    expect(await rejection(client.calls(sid).update(all))).toEqual({ status: 400, code, message })
    const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.to, '+14155550009'))
    expect(row).toMatchObject({
      statusCallbackUrl: null,
      instructions: { order: { timeLimitSeconds: 14400 } },
    })
    expect(await rejection(client.calls(`CA${'0'.repeat(32)}`).update({ timeLimit: 9 }))).toMatchObject({
      code: 20404,
    })
  })
})

describe('lists', () => {
  let lister: ReturnType<typeof twilioClient>
  let pager: Tenant

  beforeAll(async () => {
    pager = await createTenant(platform, 'Pager')
    lister = twilioClient(credentialsOf(platform, pager), server.url)
    const { carrier, account } = pager
    await platform.db.insert(phoneCalls).values(
      Array.from({ length: 125 }, (_, index) => ({
        carrierId: carrier.id,
        accountId: account.id,
        direction: 'outbound-api' as const,
        status: index % 2 === 0 ? ('completed' as const) : ('busy' as const),
        from: '+19175559876',
        to: `+1415555${String(index).padStart(4, '0')}`,
        startedAt: new Date(Date.UTC(2026, 0, 1 + index, 12)),
        endedAt: new Date(Date.UTC(2026, 0, 1 + index, 13)),
      })),
    )
  })

  test('all calls are streamed page by page, newest first, none twice', async () => {
    const seen: string[] = []
    await new Promise<void>((resolve) => {
      lister.calls.each({ pageSize: 50, callback: (call) => seen.push(call.to), done: () => resolve() })
    })
    expect(seen).toEqual(
      Array.from({ length: 125 }, (_, index) => `+1415555${String(124 - index).padStart(4, '0')}`),
    )
  })

  test('pages lead forth and back', async () => {
    const first = await lister.calls.page({ pageSize: 50 })
    const second = await first.nextPage()
    const third = await second?.nextPage()
    expect([first, second, third].map((page) => page?.instances.length)).toEqual([50, 50, 25])
    expect(third?.nextPage()).toBeUndefined()
    expect(first.previousPage()).toBeUndefined()
    const back = await third?.previousPage()
    expect(back?.instances.map(({ sid }) => sid)).toEqual(second?.instances.map(({ sid }) => sid))
    const target = await lister.calls.getPage(second?.nextPageUrl ?? '')
    expect(target.instances.map(({ sid }) => sid)).toEqual(third?.instances.map(({ sid }) => sid))
  })

  test('a call that comes in between moves nothing from one page to the next', async () => {
    const first = await lister.calls.page({ pageSize: 5, status: 'busy' })
    const { carrier, account } = pager
    await platform.db.insert(phoneCalls).values({
      ...{ carrierId: carrier.id, accountId: account.id, direction: 'inbound', status: 'busy' },
      ...{ from: '+12025550100', to: '+19175559876', startedAt: new Date(Date.UTC(2025, 0, 1)) },
    })
    const second = await first.nextPage()
    const indexes = [...first.instances, ...(second?.instances ?? [])].map(({ to }) => Number(to.slice(-4)))
    expect(indexes).toEqual([123, 121, 119, 117, 115, 113, 111, 109, 107, 105])
  })

  test.each([
    [{ to: '+14155550007' }, [7]],
    [{ to: '+1 (415) 555-0007' }, [7]],
    [{ from: '+19175559876', to: '+14155550008' }, [8]],
    [{ from: '+12025550199' }, []],
    [{ status: 'completed' as const, startTimeBefore: new Date('2026-01-03T12:00:00Z') }, [2, 0]],
    [
      {
        startTimeAfter: new Date('2026-01-10T00:00:00Z'),
        startTimeBefore: new Date('2026-01-11T23:59:59Z'),
      },
      [10, 9],
    ],
    [{ startTime: new Date('2026-01-05T12:00:00Z') }, [4]],
    [{ endTimeAfter: new Date('2026-05-05T13:00:00Z') }, [124]],
  ])('the filter %j finds %j', async (filter, expected) => {
    const calls = await lister.calls.list(filter)
    expect(calls.map(({ to }) => Number(to.slice(-4))).filter((index) => index !== 9876)).toEqual(expected)
  })

  test("another account's calls are not there", async () => {
    const [theirs] = await client.calls.list({ limit: 1 })
    expect(await lister.calls.list({ to: '+14155551234' })).toHaveLength(0)
    expect(await rejection(lister.calls(theirs?.sid ?? '').fetch())).toMatchObject({
      status: 404,
      code: 20404,
    })
  })
})

describe('errors are exceptions with Twilio’s codes', () => {
  test.each([
    [{ to: '', from, url }, 21201, "No 'To' number is specified"],
    [{ to: '12345', from, url }, 21211, `The 'To' number "12345" is not a valid phone number or SIP address`],
    [
      { to: 'sip:a b@x', from, url },
      21211,
      `The 'To' number "sip:a b@x" is not a valid phone number or SIP address`,
    ],
    [{ to: '+14155551234', from: '', url }, 21213, "The 'From' number is required"],
    [
      { to: '+14155551234', from: 'alice', url },
      21212,
      `The 'From' number "alice" is not a valid phone number`,
    ],
    [
      { to: '+14155551234', from: '+12025550100', url },
      21210,
      "The 'From' number is not an active incoming phone number of your account. You may only make calls from your own numbers.",
    ],
    [{ to: '+14155551234', from }, 21205, 'Url or Twiml is required: one says what happens on the call'],
    [{ to: '+14155551234', from, url: 'ftp://x' }, 21205, 'Url must be an http or https URL: "ftp://x"'],
    [{ to: '+14155551234', from, url: 'nonsense' }, 21205, 'Url must be an absolute URL: "nonsense"'],
    [{ to: '+14155551234', from, url, method: 'PUT' }, 21209, 'Method must be one of GET, POST, not "PUT"'],
    [
      { to: '+14155551234', from, url, timeout: 601 },
      21208,
      'Timeout must be a whole number from 1 to 600, not "601"',
    ],
    [
      { to: '+14155551234', from, url, sendDigits: '12a' },
      21206,
      'SendDigits must be up to 32 of 0 to 9, *, # and w, not "12a"',
    ],
    [
      { to: '+14155551234', from, url, statusCallback: 'x://y' },
      21609,
      'StatusCallback must be an http or https URL: "x://y"',
    ],
    [
      { to: '+14155551234', from, url, statusCallback: url, statusCallbackEvent: ['flown'] },
      21626,
      'StatusCallbackEvent must be one of initiated, ringing, answered, completed, not "flown"',
    ],
    [
      { to: '+14155551234', from, url, record: true, recordingTrack: 'left' },
      20001,
      'RecordingTrack must be one of both, inbound, outbound, not "left"',
    ],
    [
      { to: '+14155551234', from, url, machineDetection: 'Enable' },
      20001,
      'MachineDetection is not supported',
    ],
    [
      { to: '+14155551234', from, applicationSid: `AP${'0'.repeat(32)}` },
      21218,
      'ApplicationSid is not supported',
    ],
    [
      { to: '+14155551234', from, twiml: '<Response><Fly/></Response>' },
      12100,
      'Twiml cannot be run. Line 1: <Fly> is not supported.',
    ],
    [
      { to: '+442079460000', from, url },
      13224,
      'Calling this number is unsupported or the number is invalid',
    ],
  ])('%j is %i', async (order, code, message) => {
    expect(await rejection(client.calls.create(order as never))).toEqual({ status: 400, code, message })
  })

  test('a wrong token, and another account’s path', async () => {
    const { sid, token } = credentialsOf(platform, tenant)
    const wrong = twilioClient({ sid, token: 'wrong' }, server.url)
    expect(await rejection(wrong.calls.list())).toEqual({ status: 401, code: 20003, message: 'Authenticate' })
    const stranger = await createTenant(platform, 'Stranger')
    const other = twilioClient({ sid, token }, server.url)
    const theirs = other.api.v2010.accounts(toSid('AC', stranger.account.id))
    expect(await rejection(theirs.calls.list())).toMatchObject({ status: 401, code: 20003 })
  })

  test('a call that does not exist', async () => {
    const sid = `CA${'0'.repeat(32)}`
    expect(await rejection(client.calls(sid).fetch())).toEqual({
      status: 404,
      code: 20404,
      message: `The requested resource /2010-04-01/Accounts/${toSid('AC', tenant.account.id)}/Calls/${sid}.json was not found`,
    })
    expect(await rejection(client.calls(sid).update({ status: 'completed' }))).toMatchObject({ code: 20404 })
  })
})

describe('incoming phone numbers', () => {
  test('are listed, by number and by name', async () => {
    const [number, ...more] = await client.incomingPhoneNumbers.list({ phoneNumber: from })
    expect(more).toEqual([])
    expect(number).toMatchObject({
      sid: numberSid,
      phoneNumber: from,
      friendlyName: 'Front desk',
      voiceMethod: 'POST',
      capabilities: { voice: true, sms: false, mms: false, fax: false },
    })
    expect(await client.incomingPhoneNumbers.list({ friendlyName: 'Front desk' })).toHaveLength(1)
    expect(await client.incomingPhoneNumbers.list({ friendlyName: 'Back door' })).toHaveLength(0)
  })

  test('are updated: what is absent stays, what is empty goes', async () => {
    const number = client.incomingPhoneNumbers(numberSid)
    const updated = await number.update({
      voiceUrl: 'https://app.example.com/voice',
      voiceMethod: 'GET',
      voiceFallbackUrl: 'https://app.example.com/fallback',
      statusCallback: 'https://app.example.com/status',
      statusCallbackMethod: 'GET',
      friendlyName: 'Main line',
    })
    expect(updated).toMatchObject({
      voiceUrl: 'https://app.example.com/voice',
      voiceMethod: 'GET',
      voiceFallbackUrl: 'https://app.example.com/fallback',
      statusCallback: 'https://app.example.com/status',
      statusCallbackMethod: 'GET',
      friendlyName: 'Main line',
    })
    expect(await number.update({ voiceFallbackUrl: '', friendlyName: '' })).toMatchObject({
      voiceUrl: 'https://app.example.com/voice',
      voiceFallbackUrl: null,
      friendlyName: '(917) 555-9876',
    })
    expect((await number.fetch()).toJSON()).toMatchObject({ voiceMethod: 'GET', voiceFallbackUrl: null })
    expect(await rejection(number.update({ voiceUrl: 'gopher://x' }))).toMatchObject({
      status: 400,
      code: 21402,
    })
    expect(await rejection(number.update({ voiceMethod: 'PUT' }))).toMatchObject({ status: 400, code: 21403 })
  })

  test('are found by the name that is shown, also where it is made of the number', async () => {
    const unnamed = await createTenant(platform, 'Unnamed')
    await assignNumber(platform, unnamed, '12025550123')
    await assignNumber(platform, unnamed, '442079460000')
    await assignNumber(platform, unnamed, '1294')
    await assignNumber(platform, unnamed, '12025550124', { friendlyName: '(202) 555-0123' })
    await assignNumber(platform, unnamed, '12025550125', { friendlyName: 'Bureau' })
    const owner = twilioClient(credentialsOf(platform, unnamed), server.url)
    const shown = await owner.incomingPhoneNumbers.list()
    for (const { friendlyName } of shown) {
      const found = await owner.incomingPhoneNumbers.list({ friendlyName })
      expect(found).toEqual(shown.filter((number) => number.friendlyName === friendlyName))
    }
    expect(await owner.incomingPhoneNumbers.list({ friendlyName: '(202) 555-0125' })).toEqual([])
  })

  test('are released one after the other while they are paged through', async () => {
    const many = await createTenant(platform, 'Many')
    for (let index = 0; index < 5; index++) await assignNumber(platform, many, `1202555020${index}`)
    const owner = twilioClient(credentialsOf(platform, many), server.url)
    let released = 0
    const first = await owner.incomingPhoneNumbers.page({ pageSize: 2 })
    for (let page: Awaited<ReturnType<typeof first.nextPage>> = first; page; page = await page.nextPage()) {
      for (const { sid } of page.instances) expect(await owner.incomingPhoneNumbers(sid).remove()).toBe(true)
      released += page.instances.length
    }
    expect(released).toBe(5)
    expect(await owner.incomingPhoneNumbers.list()).toEqual([])
  })

  test('are released, and are then no more', async () => {
    const spare = await assignNumber(platform, tenant, '12025550111')
    const sid = toSid('PN', spare.id)
    expect(await client.incomingPhoneNumbers(sid).remove()).toBe(true)
    expect(await rejection(client.incomingPhoneNumbers(sid).fetch())).toMatchObject({ code: 20404 })
    expect(
      await rejection(client.calls.create({ to: '+14155551234', from: '+12025550111', url })),
    ).toMatchObject({ code: 21210 })
  })
})

test('recordings are listed, those of a call among them, fetched and deleted', async () => {
  const call = await client.calls.create({ to: '+14155559999', from, url })
  const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.to, call.to))
  await platform.db.insert(recordings).values({
    ...{ accountId: tenant.account.id, callId: row?.id ?? '', status: 'completed', source: 'OutboundAPI' },
    ...{ uploadKey: 'k', channels: 2, duration: 7 },
  })
  const [recording, ...more] = await client.recordings.list()
  expect(more).toEqual([])
  expect(recording).toMatchObject({
    sid: expect.stringMatching(/^RE[0-9a-f]{32}$/),
    callSid: call.sid,
    status: 'completed',
    source: 'OutboundAPI',
    channels: 2,
    duration: '7',
  })
  const sid = recording?.sid ?? ''
  const day = 86_400_000
  const [yesterday, tomorrow] = [new Date(Date.now() - day), new Date(Date.now() + day)]
  const found = async (filter: Parameters<typeof client.recordings.list>[0]) =>
    (await client.recordings.list(filter)).length
  expect(await found({ callSid: call.sid })).toBe(1)
  expect(await found({ callSid: `CA${'0'.repeat(32)}` })).toBe(0)
  expect(await found({ dateCreatedAfter: yesterday, dateCreatedBefore: tomorrow })).toBe(1)
  expect(await found({ dateCreatedAfter: tomorrow })).toBe(0)
  expect(await found({ dateCreatedBefore: yesterday })).toBe(0)
  expect(await rejection(client.recordings.list({ callSid: 'x' }))).toMatchObject({ code: 20001 })
  expect((await client.calls(call.sid).recordings.list()).map((found) => found.sid)).toEqual([sid])
  expect((await client.recordings(sid).fetch()).toJSON()).toEqual(recording?.toJSON())
  expect(await client.recordings(sid).remove()).toBe(true)
  expect(await client.recordings.list()).toEqual([])
  expect(await rejection(client.recordings(sid).fetch())).toMatchObject({ code: 20404 })
})

test('the account', async () => {
  const { sid, token } = credentialsOf(platform, tenant)
  expect(await client.api.v2010.accounts(sid).fetch()).toMatchObject({
    sid,
    friendlyName: "Carrier's account",
    status: 'active',
    type: 'Full',
    authToken: token,
    ownerAccountSid: sid,
  })
})

test('curl exactly as in the specification', async () => {
  const { sid, token } = credentialsOf(platform, tenant)
  const run = promisify(execFile)
  const { stdout } = await run('curl', [
    ...['-s', '-X', 'POST', `${server.url}/2010-04-01/Accounts/${sid}/Calls`],
    ...['-u', `${sid}:${token}`],
    ...['-d', 'To=+14155551234', '-d', 'From=+19175559876'],
    ...['-d', 'Url=https://app.example.com/outbound-voice'],
  ])
  expect(JSON.parse(stdout)).toMatchObject({
    to: '+14155551234',
    from: '+19175559876',
    status: 'queued',
    date_created: expect.stringMatching(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/),
  })
})
