import { randomUUID } from 'node:crypto'
import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { advance } from '../../src/calls/progress.ts'
import { phoneCalls } from '../../src/db/schema.ts'
import { freeswitch } from '../../src/freeswitch/index.ts'
import type { Platform } from '../../src/platform.ts'
import { letGoOfWebhooks } from '../../src/steps/ask.ts'
import { type Client, createClient, createTestApi } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { actionsOf, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTrunk, tenantOf } from '../support/rows.ts'
import { startWebhooks } from '../support/webhooks.ts'

// What a carrier can read of the webhooks of its accounts: each request, and what was wrong at each URL.

let platform: Platform
let door: Hono
let carrier: Client
let tenant: Awaited<ReturnType<typeof tenantOf>>
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
const hello = '<Response><Say>Hello</Say></Response>'
const delays: Record<string, number> = {}

beforeAll(async () => {
  platform = await createTestPlatform({ TTS_COMMAND: 'true' })
  door = freeswitch(platform)
  const client = await createClient(platform, createTestApi(platform))
  carrier = client
  tenant = await tenantOf(platform, client.carrier)
  webhooks = await startWebhooks(
    {
      '/hello': hello,
      '/slow': hello,
      '/again': `<Response>${'<Say>Hello</Say><Pause length="1"/>'.repeat(3)}</Response>`,
      '/enqueue': '<Response>\n<Enqueue>x</Enqueue></Response>',
      '/null': '<Response><Say>\0</Say></Response>',
      '/login': '<Response><Redirect>session</Redirect></Response>',
      '/session': '<Response><Redirect>elsewhere/x</Redirect></Response>',
      '/elsewhere/x': hello,
      '/odd': '<Response>\n<Gather timeout="auto" input="dtmf speech"/>\n<Pause lenght="3"/></Response>',
    },
    delays,
    { '/login': 'sid=sesame; Path=/; HttpOnly', '/session': 'page=2; Path=/session' },
  )
  await createTrunk(platform, tenant)
})
afterAll(async () => {
  await webhooks.close()
  await platform.database.close()
})

let numbers = 14155550100
async function callTo(voice: string, fallback?: string) {
  const number = String(++numbers)
  await assignNumber(platform, tenant, number, {
    voiceUrl: webhooks.url(voice),
    ...(fallback === undefined ? {} : { voiceFallbackUrl: webhooks.url(fallback) }),
  })
  const channel = randomUUID()
  const response = await post(
    door,
    '/xml',
    capturedFetch('dialplan-inbound-source-ip', {
      'Unique-ID': channel,
      'Hunt-Destination-Number': number,
    }),
  )
  expect(response.status).toBe(200)
  const [call] = (await carrier.get('/phone_calls?page[size]=1')).list
  const id = call?.id ?? ''
  return {
    id,
    actions: actionsOf(await response.text()),
    /** The call comes back to that door. */
    async comeBack(at: Hono = door, step = 1, verb = 'start') {
      const fetch = capturedFetch('dialplan-after-gather-digit', {
        'Unique-ID': channel,
        'Hunt-Destination-Number': id,
        variable_twiml_at: `${step}.${verb}`,
      })
      return actionsOf(await (await post(at, '/xml', fetch)).text())
    },
    requests: async () => (await carrier.get(`/webhook_requests?filter[phone_call]=${id}`)).list,
    logs: async () =>
      (await carrier.get(`/error_logs?filter[phone_call]=${id}`)).list.filter(
        ({ attributes }) => attributes.type === 'webhook.failed',
      ),
  }
}

const apology = ['answer', expect.stringMatching(/^playback http/), 'hangup NORMAL_CLEARING']

test('cookies of a webhook go to the next, whichever process asks, while the call lives', async () => {
  const call = await callTo('/login')
  const other = freeswitch(platform)
  await call.comeBack(other, 1, '0')
  await call.comeBack(door, 2, '0')
  const sent = webhooks.asked.slice(-3).map(({ path, headers }) => [path, headers.cookie])
  expect(sent).toEqual([
    ['/login', undefined],
    ['/session', 'sid=sesame'],
    ['/elsewhere/x', 'sid=sesame'],
  ])
  const kept = () => platform.db.select().from(phoneCalls).where(eq(phoneCalls.id, call.id))
  expect(JSON.stringify(await kept())).toContain('sesame')
  const end = { at: new Date(), cause: 'NORMAL_CLEARING', sipStatus: 200 }
  await advance(platform.db, { id: call.id }, { end })
  expect(JSON.stringify(await kept())).not.toContain('sesame')
  await callTo('/session')
  expect(webhooks.asked.at(-1)).toMatchObject({ path: '/session' })
  expect(webhooks.asked.at(-1)?.headers.cookie).toBeUndefined()
})

test('what a document says wrongly is told with its request, and runs', async () => {
  const call = await callTo('/odd')
  expect(call.actions.some((action) => action.startsWith('play_and_get_digits'))).toBe(true)
  const [request] = await call.requests()
  expect(request?.attributes.warnings).toEqual([
    'Line 2: <Gather> takes dtmf only; speech is ignored.',
    'Line 2: timeout must be a whole number from 1 to 600; 5 is used.',
    'Line 3: <Pause> has no attribute "lenght"; it is ignored.',
  ])
})

test('a document may say the same again and again', async () => {
  const call = await callTo('/again')
  expect(call.actions.filter((action) => action.startsWith('playback http'))).toHaveLength(3)
})

describe('what a carrier can read', () => {
  test('a request that was answered', async () => {
    const call = await callTo('/hello')
    expect(await call.requests()).toMatchObject([
      {
        type: 'webhook_request',
        attributes: {
          url: webhooks.url('/hello'),
          method: 'POST',
          final_url: webhooks.url('/hello'),
          state: 'answered',
          status_code: 200,
          duration_ms: expect.any(Number),
          problem: null,
          answer: hello,
          created_at: expect.any(String),
        },
        relationships: {
          phone_call: { data: { type: 'phone_call', id: call.id } },
          account: { data: { type: 'account', id: tenant.account.id } },
        },
      },
    ])
    expect(await call.logs()).toEqual([])
  })

  test('what was wrong, although the fallback has saved the call', async () => {
    const call = await callTo('/missing', '/hello')
    expect(call.actions.at(-1)).toMatch(/^hangup|^playback/)
    expect(await call.requests()).toMatchObject([
      {
        attributes: {
          url: webhooks.url('/missing'),
          final_url: webhooks.url('/hello'),
          state: 'answered',
          status_code: 200,
          problem: 'The webhook answered 404.',
          answer: hello,
        },
      },
    ])
    expect(await call.logs()).toMatchObject([
      {
        attributes: {
          message: `${webhooks.url('/missing')} gave no TwiML that can be run. The webhook answered 404.`,
          details: { url: webhooks.url('/missing'), code: 11200, http_status: 404, answer: 'Not found' },
        },
      },
    ])
    expect(webhooks.asked.at(-1)?.fields).toMatchObject({
      ErrorCode: '11200',
      ErrorUrl: webhooks.url('/missing'),
    })
  })

  test('TwiML that cannot be run goes to the fallback as well', async () => {
    const call = await callTo('/enqueue', '/hello')
    expect(webhooks.asked.at(-1)?.fields.ErrorCode).toBe('12100')
    expect(await call.logs()).toMatchObject([
      {
        attributes: {
          message: expect.stringContaining('Line 2: <Enqueue> is not supported.'),
          details: { code: 12100, http_status: 200 },
        },
      },
    ])
  })

  test('what was wrong at both, and an apology', async () => {
    const call = await callTo('/missing', '/enqueue')
    expect(call.actions.slice(-3)).toEqual(apology)
    const logs = await call.logs()
    expect(logs.map(({ attributes }) => (attributes.details as { code: number }).code)).toEqual([
      12100, 11200,
    ])
    expect(await call.requests()).toMatchObject([
      { attributes: { state: 'failed', problem: expect.stringMatching(/404\. Line 2: <Enqueue>/) } },
    ])
    // Once told, and not again when the call comes back to it.
    expect((await call.comeBack()).slice(-2)).toEqual(apology.slice(-2))
    expect(await call.logs()).toHaveLength(2)
  })

  test('a character that PostgreSQL cannot hold is an apology like any other', async () => {
    const call = await callTo('/null')
    expect(call.actions.slice(-3)).toEqual(apology)
    expect(await call.requests()).toMatchObject([{ attributes: { state: 'failed', status_code: 200 } }])
  })

  test('a request that is not answered yet, and what was wrong with it in the end', async () => {
    delays['/late'] = 1900
    const call = await callTo('/late')
    expect(call.actions.at(-1)).toBe(`transfer ${call.id} XML twiml`)
    expect(await call.requests()).toMatchObject([
      { attributes: { state: 'pending', status_code: null, duration_ms: null, answer: null } },
    ])
    await eventually(async () => expect(await call.logs()).toHaveLength(1))
    expect(await call.requests()).toMatchObject([{ attributes: { state: 'failed', status_code: 404 } }])
    expect((await call.comeBack()).slice(-2)).toEqual(apology.slice(-2))
    expect(await call.logs()).toHaveLength(1)
  })

  test('by state, status and account, newest first, and never a document that nobody was asked for', async () => {
    await assignNumber(platform, tenant, '14155559999', { sipDomain: 'pbx.example.com' })
    const fetch = { 'Unique-ID': randomUUID(), 'Hunt-Destination-Number': '14155559999' }
    await post(door, '/xml', capturedFetch('dialplan-inbound-source-ip', fetch))
    const all = (await carrier.get('/webhook_requests')).list
    const times = all.map(({ attributes }) => String(attributes.created_at))
    expect(times).toEqual([...times].sort().reverse())
    expect(all.map(({ attributes }) => attributes.url)).not.toContain('')
    const count = async (query: string) => (await carrier.get(`/webhook_requests?${query}`)).list.length
    const failed = all.filter(({ attributes }) => attributes.state === 'failed').length
    expect(failed).toBeGreaterThan(0)
    expect(await count('filter[state]=failed')).toBe(failed)
    expect(await count('filter[state]=failed,answered')).toBe(all.length)
    expect(await count('filter[status_code]=404')).toBe(1)
    expect(await count(`filter[account]=${tenant.account.id}`)).toBe(all.length)
    expect(await count(`filter[account]=${randomUUID()}`)).toBe(0)
    expect((await carrier.get('/webhook_requests?filter[status_code]=x')).status).toBe(400)
    expect((await carrier.get(`/webhook_requests/${all[0]?.id}`)).data).toEqual(all[0])
  })
})

test('what a process that stops still waits for is asked again at once by the next', async () => {
  delays['/slow'] = 2500
  const call = await callTo('/slow')
  expect(call.actions.at(-1)).toBe(`transfer ${call.id} XML twiml`)
  const next = freeswitch({ ...platform, database: { ...platform.database } })
  await call.comeBack(next)
  const asked = () => webhooks.asked.filter(({ path }) => path === '/slow').length
  expect(asked()).toBe(1)
  await letGoOfWebhooks(platform)
  delays['/slow'] = 0
  await call.comeBack(next)
  await eventually(() => expect(asked()).toBe(2))
  await eventually(async () => expect((await call.comeBack(next)).join()).toContain('playback http'), 1500)
})
