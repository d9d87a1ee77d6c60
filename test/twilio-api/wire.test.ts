import { eq } from 'drizzle-orm'
import fc from 'fast-check'
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toSid } from '../../src/accounts/account.ts'
import { createApp } from '../../src/app.ts'
import { recordingStore } from '../../src/audio/recording-store.ts'
import { wavHeader } from '../../src/audio/wav.ts'
import { openPostgres } from '../../src/db/connect.ts'
import { accounts, phoneCalls, recordings } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { createTestPlatform, platformOn } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { credentialsOf } from '../support/twilio.ts'

let platform: Platform
let app: Hono
let tenant: Tenant
const from = '+19175559876'
const url = 'https://app.example.com/voice'

beforeAll(async () => {
  platform = await createTestPlatform({ WEBHOOK_ALLOW_PRIVATE: 'false' })
  app = createApp(platform).publicApp
  tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'pbx.example.com' })
  await assignNumber(platform, tenant, '19175559876')
})
afterAll(async () => {
  await platform.database.close()
})

type Options = {
  method?: string
  body?: string
  headers?: Record<string, string>
  user?: string
  password?: string
  host?: string
}

async function send(path: string, options: Options = {}) {
  const { sid, token } = credentialsOf(platform, tenant)
  const { method = 'GET', body, headers = {}, user = sid, password = token } = options
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  const response = await app.request(`http://${options.host ?? 'api.localhost'}/2010-04-01${path}`, {
    method,
    headers: {
      authorization,
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  const json = text.startsWith('{') ? JSON.parse(text) : null
  return { status: response.status, headers: response.headers, text, json }
}

const account = () => `/Accounts/${toSid('AC', tenant.account.id)}`
const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString()
const order = (fields: Record<string, string> = {}, headers: Record<string, string> = {}) =>
  send(`${account()}/Calls.json`, {
    method: 'POST',
    headers,
    body: form({ To: '+14155551234', From: from, Url: url, ...fields }),
  })

describe('who may ask what', () => {
  test('the account is known by SID and by UUID, in path and credentials, with and without .json', async () => {
    const { id } = tenant.account
    for (const path of [id, `${id}.json`, toSid('AC', id), `${toSid('AC', id)}.json`])
      for (const user of [id, toSid('AC', id)])
        expect((await send(`/Accounts/${path}`, { user })).json).toMatchObject({ sid: toSid('AC', id) })
  })

  test.each([
    ['no credentials', { headers: { authorization: '' } }],
    ['a Bearer token', { headers: { authorization: 'Bearer x' } }],
    ['a wrong token', { password: 'x' }],
    ['no token', { password: '' }],
    ['an unknown account', { user: `AC${'0'.repeat(32)}` }],
    ['nonsense', { headers: { authorization: 'Basic !!!' } }],
  ])('%s is 401', async (_, options) => {
    const refused = await send(`${account()}/Calls`, options)
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toBe('Basic realm="Twilio API"')
    expect(refused.json).toEqual({
      code: 20003,
      message: 'Authenticate',
      more_info: 'https://www.twilio.com/docs/errors/20003',
      status: 401,
    })
  })

  test('a disabled account does nothing', async () => {
    const { id } = tenant.account
    await platform.db.update(accounts).set({ status: 'disabled' }).where(eq(accounts.id, id))
    expect((await order()).json).toMatchObject({ code: 20005, status: 401 })
    await platform.db.update(accounts).set({ status: 'enabled' }).where(eq(accounts.id, id))
  })

  test('the API is at the api host only', async () => {
    expect((await send(account(), { host: 'www.localhost' })).status).toBe(404)
  })

  test('what is not there, and what cannot be done with it', async () => {
    expect((await send(`${account()}/Messages.json`)).json).toMatchObject({ code: 20404, status: 404 })
    expect((await send('/nowhere')).json).toMatchObject({ code: 20404, status: 404 })
    for (const [method, path] of [
      ['DELETE', 'Calls.json'],
      ['PUT', `Calls/CA${'0'.repeat(32)}`],
      ['POST', 'IncomingPhoneNumbers'],
      ['POST', 'Recordings.json'],
    ])
      expect((await send(`${account()}/${path}`, { method: method ?? '' })).json, path).toMatchObject({
        code: 20004,
        status: 405,
      })
    expect((await send(account(), { method: 'POST' })).json).toMatchObject({ code: 20004 })
    for (const [path, allowed] of [
      ['', 'GET, HEAD'],
      ['/Calls.json', 'GET, HEAD, POST'],
      [`/Calls/CA${'0'.repeat(32)}.json`, 'GET, HEAD, POST'],
      ['/IncomingPhoneNumbers', 'GET, HEAD'],
      [`/IncomingPhoneNumbers/PN${'0'.repeat(32)}`, 'GET, HEAD, POST, DELETE'],
      [`/Recordings/RE${'0'.repeat(32)}.json`, 'GET, HEAD, DELETE'],
    ])
      expect((await send(`${account()}${path}`, { method: 'PUT' })).headers.get('allow'), path).toBe(allowed)
  })
})

describe('the wire', () => {
  test('a call, whole', async () => {
    const made = await order()
    expect(made.status).toBe(201)
    const sid = made.json.sid
    const path = `/2010-04-01/Accounts/${toSid('AC', tenant.account.id)}/Calls/${sid}`
    expect(made.json).toEqual({
      sid,
      account_sid: toSid('AC', tenant.account.id),
      parent_call_sid: null,
      phone_number_sid: expect.stringMatching(/^PN/),
      from: '+19175559876',
      from_formatted: '(917) 555-9876',
      to: '+14155551234',
      to_formatted: '(415) 555-1234',
      direction: 'outbound-api',
      status: 'queued',
      date_created: expect.stringMatching(/ \+0000$/),
      date_updated: expect.stringMatching(/ \+0000$/),
      start_time: null,
      end_time: null,
      duration: null,
      price: null,
      price_unit: 'USD',
      queue_time: '0',
      annotation: null,
      answered_by: null,
      caller_name: null,
      forwarded_from: null,
      group_sid: null,
      trunk_sid: null,
      api_version: '2010-04-01',
      uri: `${path}.json`,
      subresource_uris: { recordings: `${path}/Recordings.json` },
    })
  })

  test('a call that was charged, by UUID', async () => {
    const [row] = await platform.db
      .insert(phoneCalls)
      .values({
        ...{ carrierId: tenant.carrier.id, accountId: tenant.account.id },
        ...{ direction: 'inbound', status: 'completed', from: '6703', to: '+19175559876' },
        ...{ price: '0.05000', priceUnit: 'EUR', duration: 61 },
        startedAt: new Date('2026-03-01T08:00:00.7Z'),
        endedAt: new Date('2026-03-01T08:01:05Z'),
      })
      .returning()
    expect((await send(`${account()}/Calls/${row?.id}`)).json).toMatchObject({
      from: '6703',
      from_formatted: '6703',
      price: '-0.05000',
      price_unit: 'EUR',
      duration: '61',
      start_time: 'Sun, 01 Mar 2026 08:00:00 +0000',
      end_time: 'Sun, 01 Mar 2026 08:01:05 +0000',
    })
  })

  test('a page names itself and its neighbours, filters kept', async () => {
    for (let i = 0; i < 3; i++) await order({ To: '+14155550100' })
    const base = `/2010-04-01${account()}/Calls.json`
    const { json } = await send(`${account()}/Calls.json?To=%2B14155550100&PageSize=2`)
    const last = json.calls[1].sid
    expect(json).toMatchObject({
      page: 0,
      page_size: 2,
      start: 0,
      end: 1,
      uri: `${base}?To=%2B14155550100&PageSize=2`,
      first_page_uri: `${base}?To=%2B14155550100&PageSize=2&Page=0`,
      previous_page_uri: null,
      next_page_uri: `${base}?To=%2B14155550100&PageSize=2&Page=1&PageToken=PA${last}`,
    })
    const next = (await send(json.next_page_uri.replace('/2010-04-01', ''))).json
    expect(next).toMatchObject({ page: 1, start: 2, end: 2, next_page_uri: null })
    expect(next.calls).toHaveLength(1)
    expect(next.previous_page_uri).toBe(
      `${base}?To=%2B14155550100&PageSize=2&Page=0&PageToken=PB${next.calls[0].sid}`,
    )
    const back = (await send(next.previous_page_uri.replace('/2010-04-01', ''))).json
    expect(back.calls).toEqual(json.calls)
  })

  test.each([
    ['PageSize=0', 'PageSize must be a whole number from 1 to 1000000, not "0"'],
    ['PageSize=x', 'PageSize must be a whole number from 1 to 1000000, not "x"'],
    ['PageToken=PAxyz', 'PageToken is not valid: "PAxyz"'],
    [`PageToken=PACA${'0'.repeat(32)}`, `PageToken is not valid: "PACA${'0'.repeat(32)}"`],
    ['Status=flying', /^Status must be one of queued, initiated,/],
    ['StartTime=yesterday', 'StartTime must be a date (YYYY-MM-DD) or a time in ISO 8601, not "yesterday"'],
    ['StartTime=0000-01-01', /^StartTime must be a date/],
    ['StartTime%3E=9999-12-31', /^StartTime> must be a date/],
    ['EndTime=2026-01-01T24:61:00Z', /^EndTime must be a date/],
    ['StartTime%3C=2026-13-45', /^StartTime< must be a date/],
    ['ParentCallSid=x', 'ParentCallSid is not valid: "x"'],
    ['To=%00', 'To must not contain NUL characters'],
  ])('the query %s is refused', async (query, message) => {
    const { json } = await send(`${account()}/Calls.json?${query}`)
    expect(json).toMatchObject({ code: 20001, status: 400 })
    expect(json.message).toMatch(message)
  })

  test('dates filter whole days, both ends included', async () => {
    const { carrier, account: owner } = tenant
    const days = ['2024-05-01T00:00:00Z', '2024-05-02T23:59:59.5Z', '2024-05-03T12:00:00Z']
    await platform.db.insert(phoneCalls).values(
      days.map((day) => ({
        ...{ carrierId: carrier.id, accountId: owner.id, direction: 'inbound' as const },
        ...{ status: 'completed' as const, from: '1', to: '2', startedAt: new Date(day) },
      })),
    )
    const found = async (query: string) =>
      (await send(`${account()}/Calls?To=2&${query}`)).json.calls.map((call: { start_time: string }) =>
        new Date(call.start_time).getUTCDate(),
      )
    expect(await found('StartTime=2024-05-02')).toEqual([2])
    expect(await found('StartTime%3E=2024-05-02')).toEqual([3, 2])
    expect(await found('StartTime%3C=2024-05-02')).toEqual([2, 1])
    expect(await found('StartTime%3E=2024-05-01&StartTime%3C=2024-05-02')).toEqual([2, 1])
    expect(await found('StartTime%3C=2024-05-03T11%3A59%3A59Z')).toEqual([2, 1])
  })

  test('a webhook at a private address is refused', async () => {
    for (const host of ['127.0.0.1', '10.1.2.3', '[::1]', '169.254.169.254'])
      expect((await order({ Url: `http://${host}/x` })).json).toMatchObject({
        code: 21205,
        message: `Url is not at a public address: "http://${host}/x"`,
      })
  })

  test('a body that is no form is said to be none', async () => {
    const refused = await send(`${account()}/Calls`, {
      method: 'POST',
      body: '{"To":"+14155551234"}',
      headers: { 'content-type': 'application/json' },
    })
    expect(refused.json).toMatchObject({
      code: 20001,
      message: 'Parameters must be sent as application/x-www-form-urlencoded',
    })
    expect((await order({ Twiml: 'x'.repeat(300_000) })).status).toBe(413)
  })

  test('while the database is away it is not our mistake', async () => {
    const gone = createApp(platformOn(openPostgres('postgres://127.0.0.1:1/none'), platform.env)).publicApp
    const { sid, token } = credentialsOf(platform, tenant)
    const authorization = `Basic ${Buffer.from(`${sid}:${token}`).toString('base64')}`
    const answer = await gone.request(`http://api.localhost/2010-04-01${account()}.json`, {
      headers: { authorization },
    })
    expect(await answer.json()).toMatchObject({ code: 20503, status: 503 })
    expect(answer.status).toBe(503)
  })

  test('a number is found by a part of it, with * for any digit', async () => {
    const found = async (number: string) => {
      const query = new URLSearchParams({ PhoneNumber: number })
      const { json } = await send(`${account()}/IncomingPhoneNumbers.json?${query}`)
      return json.incoming_phone_numbers.length
    }
    for (const number of [from, '+1917', '917', '5559876', '(917) 555-9876', '+1917***9876', '9*7'])
      expect([number, await found(number)]).toEqual([number, 1])
    for (const number of ['+917', '918', '9%6', '_', 'x', '+', '1'.repeat(21)])
      expect([number, await found(number)]).toEqual([number, 0])
  })

  test('whatever is sent, it is never a 500', async () => {
    const names = [
      ...['To', 'From', 'Url', 'Twiml', 'Method', 'Timeout', 'TimeLimit', 'Record', 'SendDigits', 'Status'],
      ...['StatusCallback', 'StatusCallbackEvent', 'RecordingStatusCallbackEvent', 'PageSize', 'StartTime<'],
    ]
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '+14155551234',
        from,
        url,
        'true',
        'completed',
        '\0',
        '￿',
        '%',
        "'; --",
        '9'.repeat(400),
      ),
    )
    const fields = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 6 })
    const [call] = await platform.db.select().from(phoneCalls).limit(1)
    const paths = [
      'Calls.json',
      `Calls/${toSid('CA', call?.id ?? '')}.json`,
      'IncomingPhoneNumbers',
      'Recordings/%00',
    ]
    await fc.assert(
      fc.asyncProperty(fields, fc.constantFrom(...paths), fc.boolean(), async (pairs, path, posted) => {
        const sent = new URLSearchParams(pairs).toString()
        const answer = posted
          ? await send(`${account()}/${path}`, { method: 'POST', body: sent })
          : await send(`${account()}/${path}?${sent}`)
        expect(answer.status).toBeLessThan(500)
        if (answer.status >= 400) expect(answer.json).toMatchObject({ code: expect.any(Number) })
      }),
      { numRuns: 300 },
    )
  })
})

describe('Idempotency-Key', () => {
  const count = async () => (await platform.db.select().from(phoneCalls)).length

  test('the same order under the same key is the same call, marked as a replay', async () => {
    const first = await order({}, { 'Idempotency-Key': 'k1' })
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([201, null])
    const before = await count()
    const again = await order({}, { 'Idempotency-Key': 'k1' })
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true'])
    expect(again.json).toEqual(first.json)
    const reordered = await send(`${account()}/Calls`, {
      method: 'POST',
      headers: { 'Idempotency-Key': 'k1' },
      body: form({ Url: url, From: from, To: '+14155551234' }),
    })
    expect(reordered.json.sid).toBe(first.json.sid)
    expect(await count()).toBe(before)
  })

  test('another order under it is 409', async () => {
    const refused = await order({ To: '+14155550002' }, { 'Idempotency-Key': 'k1' })
    expect(refused.status).toBe(409)
    expect(refused.json).toEqual({
      code: 20409,
      message: 'This Idempotency-Key was used for a call with other parameters',
      more_info: 'https://www.twilio.com/docs/errors/20409',
      status: 409,
    })
  })

  test('a refused order leaves the key free', async () => {
    expect((await order({ To: 'x' }, { 'Idempotency-Key': 'k2' })).status).toBe(400)
    expect((await order({}, { 'Idempotency-Key': 'k2' })).status).toBe(201)
  })

  test('twenty at the same moment make one call', async () => {
    const before = await count()
    const made = await Promise.all(
      Array.from({ length: 20 }, () => order({ To: '+14155550020' }, { 'Idempotency-Key': 'k3' })),
    )
    expect(made.map(({ status }) => status)).toEqual(Array(20).fill(201))
    expect(new Set(made.map(({ json }) => json.sid)).size).toBe(1)
    expect(made.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(19)
    expect(await count()).toBe(before + 1)
  })

  test('keys of two accounts have nothing to do with each other', async () => {
    const other = await createTenant(platform, 'Other')
    await createTrunk(platform, other, { outboundHost: 'pbx.example.com', sourceIps: ['127.0.0.9'] })
    await assignNumber(platform, other, '19175559876')
    const { sid, token } = credentialsOf(platform, other)
    const made = await send(`/Accounts/${sid}/Calls`, {
      ...{ method: 'POST', user: sid, password: token, headers: { 'Idempotency-Key': 'k1' } },
      body: form({ To: '+14155551234', From: from, Url: url }),
    })
    expect([made.status, made.headers.get('idempotent-replayed')]).toEqual([201, null])
  })
})

describe('files of recordings', () => {
  test('are served to whoever knows the SID, until the recording is deleted', async () => {
    const call = (await order()).json.sid
    const [row] = await platform.db
      .insert(recordings)
      .values({
        ...{ accountId: tenant.account.id, callId: uuidOf(call), status: 'completed' },
        ...{ source: 'RecordVerb', uploadKey: 'x', duration: 1 },
      })
      .returning()
    const wav = wavOfSilence()
    await recordingStore(platform.env).save(row?.id ?? '', 'wav', chunks(wav))
    const sid = toSid('RE', row?.id ?? '')
    const get = (file: string) =>
      app.request(`http://api.localhost/2010-04-01${account()}/Recordings/${file}`)
    const served = await get(`${sid}.wav`)
    expect([served.status, served.headers.get('content-type'), served.headers.get('content-length')]).toEqual(
      [200, 'audio/x-wav', String(wav.length)],
    )
    expect(Buffer.from(await served.arrayBuffer())).toEqual(wav)
    // The RecordingUrl of webhooks: the sound for whoever has it, the resource for the account.
    const bare = await get(sid)
    expect([bare.status, bare.headers.get('content-type')]).toEqual([200, 'audio/x-wav'])
    expect((await send(`${account()}/Recordings/${sid}`)).json).toMatchObject({ sid })
    const mp3 = await get(`${sid}.mp3`)
    expect([mp3.status, mp3.headers.get('content-type')]).toEqual([200, 'audio/mpeg'])
    expect((await mp3.arrayBuffer()).byteLength).toBeGreaterThan(100)
    expect((await send(`${account()}/Recordings/${sid}.json`)).json).toMatchObject({
      media_url: `${platform.env.PUBLIC_URL}/2010-04-01${account()}/Recordings/${sid}`,
    })
    expect((await get(`RE${'0'.repeat(32)}.wav`)).status).toBe(404)
    expect((await send(`${account()}/Recordings/${sid}`, { method: 'DELETE' })).status).toBe(204)
    expect((await get(`${sid}.wav`)).status).toBe(404)
    expect(await recordingStore(platform.env).open(row?.id ?? '', 'wav')).toBeNull()
  })
})

const uuidOf = (sid: string) => sid.slice(2).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

async function* chunks(bytes: Buffer) {
  yield bytes
}

const wavOfSilence = (): Buffer => Buffer.concat([wavHeader(8000, 1, 16_000), Buffer.alloc(16_000)])
