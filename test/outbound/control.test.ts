import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { toSid } from '../../src/accounts/account.ts'
import { createApp } from '../../src/app.ts'
import { phoneCalls, statusCallbacks } from '../../src/db/schema.ts'
import { eventually } from '../support/eventually.ts'
import { type Placing, startPlacing } from '../support/placing.ts'
import { updateCall } from '../support/twilio.ts'
import { startWebhooks } from '../support/webhooks.ts'

let placing: Placing
let webhooks: Awaited<ReturnType<typeof startWebhooks>>

beforeAll(async () => {
  webhooks = await startWebhooks(
    {
      '/next': '<Response><Play>https://example.com/next.wav</Play></Response>',
      '/slow': '<Response><Pause/></Response>',
    },
    { '/slow': 1800 },
  )
  placing = await startPlacing()
  await placing.trunk({ outboundHost: 'pbx.example.com' })
})
beforeEach(() => {
  placing.calls.farEnd = () => ({ ringMs: 5, answerMs: 10, talkMs: 60_000 })
})
afterAll(async () => {
  await placing.close()
  await webhooks.close()
})

async function update(id: string, fields: Record<string, string>) {
  const { platform, tenant } = placing
  const response = await updateCall(createApp(platform).publicApp, platform, tenant, id, fields)
  return { status: response.status, json: (await response.json()) as { status: string; code: number } }
}

async function inState(id: string, status: string): Promise<string> {
  await eventually(async () => expect((await placing.call(id)).status).toBe(status))
  return id
}
const answered = async () => inState(await placing.order('+14155551234'), 'in-progress')
const commandsAbout = async (id: string) => {
  const { channelUuid } = await placing.call(id)
  return placing.fake.commands.filter((command) =>
    new RegExp(`^uuid_(kill|transfer) ${channelUuid}`).test(command),
  )
}

describe('hanging up', () => {
  test('a running call is completed, and the answer shows it', async () => {
    const id = await answered()
    expect(await update(id, { Status: 'completed' })).toMatchObject({
      status: 200,
      json: { status: 'completed' },
    })
    const { channelUuid } = await placing.call(id)
    expect(await commandsAbout(id)).toEqual([`uuid_kill ${channelUuid} NORMAL_CLEARING`])
    expect(await placing.told(id)).toEqual(['0 initiated', '1 ringing', '2 in-progress', '3 completed'])
    await eventually(async () => expect((await placing.call(id)).instructions.wish).toBeUndefined())
  })

  test('a running call cannot be cancelled any more', async () => {
    const id = await answered()
    expect(await update(id, { Status: 'canceled' })).toMatchObject({ status: 400, json: { code: 21220 } })
    expect(await commandsAbout(id)).toEqual([])
    await update(id, { Status: 'completed' })
  })

  test.each(['canceled', 'completed'])('a ringing call is %s: both cancel it', async (status) => {
    placing.calls.farEnd = () => ({ ringMs: 5 })
    const id = await inState(await placing.order('+14155551234'), 'ringing')
    expect(await update(id, { Status: status })).toMatchObject({ json: { status: 'canceled' } })
    const { channelUuid } = await placing.call(id)
    expect(await commandsAbout(id)).toEqual([`uuid_kill ${channelUuid} ORIGINATOR_CANCEL`])
    expect(await placing.told(id)).toEqual(['0 initiated', '1 ringing', '2 canceled'])
  })

  test('a call that is just being placed is cancelled as soon as its switch has it', async () => {
    placing.calls.farEnd = () => ({})
    placing.calls.thinkMs = 300
    const id = await inState(await placing.order('+14155551234'), 'initiated')
    await update(id, { Status: 'canceled' })
    placing.calls.thinkMs = 0
    expect(await placing.ended(id)).toMatchObject({ status: 'canceled' })
    await eventually(async () => expect(placing.fake.channels.size).toBe(0))
  })

  test('what the switch could not be told is told when it is back', async () => {
    const id = await answered()
    placing.fake.cut()
    await eventually(() => expect(placing.reached()).toBe(false))
    expect(await update(id, { Status: 'completed' })).toMatchObject({
      status: 200,
      json: { status: 'in-progress' },
    })
    expect(await update(id, { Twiml: '<Response><Pause/></Response>' })).toMatchObject({
      status: 400,
      json: { code: 21220 },
    })
    placing.fake.mend()
    expect(await placing.ended(id)).toMatchObject({ status: 'completed' })
  }, 30_000)

  test('a call of another account, and one that is over', async () => {
    const id = await answered()
    await update(id, { Status: 'completed' })
    expect(await update(id, { Status: 'completed' })).toMatchObject({ status: 400, json: { code: 21220 } })
    expect(await update(crypto.randomUUID(), { Status: 'completed' })).toMatchObject({ status: 404 })
  })
})

describe('what is to hold from now on', () => {
  const limits = async (id: string) => {
    const { channelUuid } = await placing.call(id)
    return placing.fake.commands.filter(
      (command) => /^sched_/.test(command) && command.includes(`${channelUuid}`),
    )
  }

  test('a running call is to end so many seconds after its answer, not when it was to end before', async () => {
    const id = await answered()
    const { channelUuid } = await placing.call(id)
    await placing.platform.db
      .update(phoneCalls)
      .set({ answeredAt: new Date(Date.now() - 20_000) })
      .where(eq(phoneCalls.id, id))
    expect(await update(id, { TimeLimit: '60' })).toMatchObject({ status: 200 })
    await eventually(async () => expect(await limits(id)).toHaveLength(2))
    const [forgotten, scheduled = ''] = await limits(id)
    expect(forgotten).toBe(`sched_del ${channelUuid}`)
    const [, seconds] = /^sched_hangup \+(\d+) (\S+) ALLOTTED_TIMEOUT$/.exec(scheduled) ?? []
    expect(scheduled).toContain(channelUuid)
    expect([39, 40]).toContain(Number(seconds))
    await eventually(async () => expect((await placing.call(id)).dueAt).toBeNull())
    expect((await placing.call(id)).instructions.newLimitSeconds).toBeUndefined()
    await update(id, { Status: 'completed' })
  })

  test('one that has lasted longer ends at once', async () => {
    const id = await answered()
    await placing.platform.db
      .update(phoneCalls)
      .set({ answeredAt: new Date(Date.now() - 20_000) })
      .where(eq(phoneCalls.id, id))
    await update(id, { TimeLimit: '5' })
    await eventually(async () => expect((await limits(id)).at(-1)).toContain('sched_hangup +1 '))
    await update(id, { Status: 'completed' })
  })

  test('together with other TwiML both reach the switch', async () => {
    const id = await answered()
    await eventually(() => expect(placing.calls.documents.get(id)).toHaveLength(1))
    await update(id, { Twiml: '<Response><Pause length="9"/></Response>', TimeLimit: '60' })
    await eventually(() => expect(placing.calls.documents.get(id)).toHaveLength(2))
    await eventually(async () => expect(await limits(id)).toHaveLength(2))
    await eventually(async () => expect((await placing.call(id)).dueAt).toBeNull())
    expect((await placing.call(id)).instructions).not.toHaveProperty('wish')
    await update(id, { Status: 'completed' })
  })

  test('a limit that the switch could not be told is told when it is back', async () => {
    const id = await answered()
    placing.fake.cut()
    await eventually(() => expect(placing.reached()).toBe(false))
    expect(await update(id, { TimeLimit: '600' })).toMatchObject({ status: 200 })
    expect(await limits(id)).toEqual([])
    placing.fake.mend()
    await eventually(async () => expect(await limits(id)).toHaveLength(2), 20_000)
    await update(id, { Status: 'completed' })
  }, 30_000)

  test('before the answer it is the limit that the call begins with', async () => {
    placing.calls.farEnd = () => ({ ringMs: 5 })
    const id = await inState(await placing.order('+14155551234'), 'ringing')
    await update(id, { TimeLimit: '60' })
    expect((await placing.call(id)).instructions.order).toMatchObject({ timeLimitSeconds: 60 })
    expect(await limits(id)).toEqual([])
    await update(id, { Status: 'canceled' })
  })

  test('what is still to come is told to the new address', async () => {
    const id = await answered()
    await eventually(async () => expect(await placing.told(id)).toHaveLength(3))
    const url = 'https://app.example.com/elsewhere'
    expect(await update(id, { StatusCallback: url, StatusCallbackMethod: 'GET' })).toMatchObject({
      status: 200,
    })
    await update(id, { Status: 'completed' })
    await eventually(async () => expect(await placing.told(id)).toHaveLength(4))
    const told = await placing.platform.db
      .select({ url: statusCallbacks.url, method: statusCallbacks.method })
      .from(statusCallbacks)
      .where(eq(statusCallbacks.orderKey, id))
      .orderBy(statusCallbacks.seq)
    expect(told.at(-2)).toEqual({ url: 'https://app.example.com/status', method: 'POST' })
    expect(told.at(-1)).toEqual({ url, method: 'GET' })
  })

  test('a leg that nobody has answered has no time to limit', async () => {
    const id = await answered()
    const { carrierId, accountId } = await placing.call(id)
    const [leg] = await placing.platform.db
      .insert(phoneCalls)
      .values({
        ...{ carrierId, accountId, parentCallId: id, direction: 'outbound-dial', status: 'ringing' },
        ...{ from: '1', to: '2', channelUuid: crypto.randomUUID() },
      })
      .returning()
    expect(await update(leg?.id ?? '', { TimeLimit: '60' })).toMatchObject({
      ...{ status: 400, json: { code: 21220 } },
    })
    await update(id, { Status: 'completed' })
  })
})

describe('moving a running call to other TwiML', () => {
  test('a document that comes along is run at once', async () => {
    const id = await answered()
    await eventually(() => expect(placing.calls.documents.get(id)).toHaveLength(1))
    await update(id, { Twiml: '<Response><Play>https://example.com/a.wav</Play></Response>' })
    await eventually(() => expect(placing.calls.documents.get(id)).toHaveLength(2))
    expect(placing.calls.documents.get(id)?.at(-1)).toEqual(['set', 'set', 'set', 'playback', 'hangup'])
    const { channelUuid } = await placing.call(id)
    expect(await commandsAbout(id)).toEqual([`uuid_transfer ${channelUuid} ${id} XML twiml`])
    expect((await placing.call(id)).step).toBe(2)
    await update(id, { Status: 'completed' })
  })

  test('a URL is asked as any webhook, and the call waits in silence until it has answered', async () => {
    const id = await answered()
    await eventually(() => expect(placing.calls.documents.get(id)).toHaveLength(1))
    await update(id, { Url: webhooks.url('/slow'), Method: 'GET' })
    await eventually(() => expect(placing.calls.documents.get(id)).toHaveLength(2))
    expect(placing.calls.documents.get(id)?.at(-1)).toEqual(['set', 'set', 'playback', 'set', 'transfer'])
    await eventually(() => expect(webhooks.asked.at(-1)?.path).toBe('/slow'))
    expect(webhooks.asked.at(-1)).toMatchObject({
      method: 'GET',
      fields: { CallSid: toSid('CA', id), CallStatus: 'in-progress', Direction: 'outbound-api' },
    })
    await update(id, { Status: 'completed' })
  })

  test('the switch having said yes is not the call having come back: only that fulfils it', async () => {
    const id = await answered()
    await eventually(() => expect(placing.calls.documents.get(id)).toHaveLength(1))
    const usual = placing.fake.answer
    placing.fake.answer = (command) => (command.startsWith('uuid_transfer') ? '+OK\n' : usual(command))
    await update(id, { Twiml: '<Response><Pause/></Response>' })
    await eventually(async () => expect(await commandsAbout(id)).toHaveLength(1))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await placing.call(id)).instructions.wish).toBe('come back')
    placing.fake.answer = usual
    await update(id, { Twiml: '<Response><Pause/></Response>' })
    await eventually(async () => expect((await placing.call(id)).instructions.wish).toBeUndefined())
    expect(await commandsAbout(id)).toHaveLength(2)
    await update(id, { Status: 'completed' })
  })

  test('before the answer it is what the call begins with', async () => {
    placing.calls.farEnd = () => ({ ringMs: 5, answerMs: 700, talkMs: 60_000 })
    const id = await inState(await placing.order('+14155551234'), 'ringing')
    expect(await update(id, { Url: webhooks.url('/next') })).toMatchObject({ json: { status: 'ringing' } })
    await eventually(() => expect(placing.calls.documents.get(id)).toHaveLength(1))
    expect(placing.calls.documents.get(id)?.[0]).toEqual([
      'set',
      'set',
      'sched_hangup',
      'set',
      'playback',
      'hangup',
    ])
    expect(webhooks.asked.at(-1)).toMatchObject({ path: '/next', fields: { CallStatus: 'in-progress' } })
    expect(await commandsAbout(id)).toEqual([])
    await update(id, { Status: 'completed' })
  })
})
