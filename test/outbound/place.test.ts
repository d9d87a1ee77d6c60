import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { accounts, incomingPhoneNumbers, registrations, statusCallbacks } from '../../src/db/schema.ts'
import { freeswitch } from '../../src/freeswitch/index.ts'
import { changeTrunk } from '../../src/trunks/change.ts'
import { eventually } from '../support/eventually.ts'
import type { FarEnd } from '../support/fake-calls.ts'
import { capturedFetch, post } from '../support/fetches.ts'
import { type Placing, startPlacing } from '../support/placing.ts'
import { assignNumber } from '../support/rows.ts'

let placing: Placing

beforeAll(async () => {
  placing = await startPlacing()
  await placing.trunk({ name: 'US', outboundHost: 'pbx.example.com', outboundRoutePrefixes: ['1'] })
})
beforeEach(() => {
  placing.calls.farEnd = () => ({ ringMs: 5, answerMs: 10, talkMs: 20 })
})
afterAll(() => placing.close())

test('a call is placed, answered and over, and its customer hears of each step in order', async () => {
  const id = await placing.order('+14155551234')
  const call = await placing.ended(id)
  expect(call).toMatchObject({
    status: 'completed',
    hangupCause: 'NORMAL_CLEARING',
    sipResponseCode: 200,
    switchName: 's1',
    placingUntil: null,
    dueAt: null,
  })
  const times = [call.createdAt, call.startedAt, call.ringingAt, call.answeredAt, call.endedAt]
  expect(times.map(Number)).toEqual(times.map(Number).sort((a, b) => a - b))
  expect(await placing.told(id)).toEqual(['0 initiated', '1 ringing', '2 in-progress', '3 completed'])
  const [, , , last] = await placing.platform.db
    .select()
    .from(statusCallbacks)
    .where(eq(statusCallbacks.orderKey, id))
    .orderBy(statusCallbacks.seq)
  expect(last?.params).toEqual({
    CallSid: `CA${id.replaceAll('-', '')}`,
    AccountSid: `AC${placing.tenant.account.id.replaceAll('-', '')}`,
    From: '+19175559876',
    To: '+14155551234',
    Caller: '+19175559876',
    Called: '+14155551234',
    Direction: 'outbound-api',
    ApiVersion: '2010-04-01',
    CallStatus: 'completed',
    CallbackSource: 'call-progress-events',
    SequenceNumber: '3',
    Timestamp: expect.stringMatching(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/),
    CallDuration: '0',
    Duration: '0',
    SipResponseCode: '200',
  })
  expect(placing.calls.documents.get(id)).toEqual([['set', 'set', 'sched_hangup', 'set', 'hangup']])
})

test('the order to the switch, word for word', async () => {
  const id = await placing.order('+14155550001', {
    instructions: {
      first: { kind: 'document', text: '<Response><Hangup/></Response>' },
      order: { timeoutSeconds: 25, timeLimitSeconds: 600, sendDigits: '12' },
    },
  })
  const { channelUuid } = await placing.ended(id)
  expect(placing.fake.commands).toContain(
    `originate {origination_uuid=${channelUuid},api_on_originate=hash\\sinsert/placed/${channelUuid}/1,` +
      'app_disable_expand_variables=true,max_session_transfers=10000,ignore_early_media=true,' +
      'outbound_redirect_fatal=true,originate_timeout=25,origination_caller_id_number=19175559876,sip_cid_type=pid,' +
      'sip_auth_username=none,sip_auth_password=none}' +
      `sofia/nat_gateway/sip:14155550001@pbx.example.com ${id} XML twiml`,
  )
  expect(placing.calls.documents.get(id)).toEqual([
    ['set', 'set', 'sched_hangup', 'send_dtmf', 'playback', 'set', 'hangup'],
  ])
})

const ends: [string, FarEnd, { status: string; sipResponseCode: number | null; told: string[] }][] = [
  [
    'busy',
    { ringMs: 5, refuse: { cause: 'USER_BUSY', sipCode: 486, afterMs: 5 } },
    { status: 'busy', sipResponseCode: 486, told: ['0 initiated', '1 ringing', '2 busy'] },
  ],
  [
    'unavailable',
    { refuse: { cause: 'NO_USER_RESPONSE', sipCode: 480, afterMs: 5 } },
    { status: 'no-answer', sipResponseCode: 480, told: ['0 initiated', '1 no-answer'] },
  ],
  [
    'unknown there',
    { refuse: { cause: 'UNALLOCATED_NUMBER', sipCode: 404, afterMs: 5 } },
    { status: 'failed', sipResponseCode: 404, told: ['0 initiated', '1 failed'] },
  ],
  [
    'overloaded',
    { refuse: { cause: 'NORMAL_TEMPORARY_FAILURE', sipCode: 503, afterMs: 5 } },
    { status: 'failed', sipResponseCode: 503, told: ['0 initiated', '1 failed'] },
  ],
  [
    'a gateway that is down, which has no channel',
    { channel: false, refuse: { cause: 'GATEWAY_DOWN', afterMs: 0 } },
    { status: 'failed', sipResponseCode: 503, told: ['0 initiated', '1 failed'] },
  ],
  [
    'an unknown gateway, which has none either',
    { channel: false, refuse: { cause: 'INVALID_GATEWAY', afterMs: 0 } },
    { status: 'failed', sipResponseCode: 502, told: ['0 initiated', '1 failed'] },
  ],
]

test.each(ends)('the far end is %s', async (_, farEnd, expected) => {
  placing.calls.farEnd = () => farEnd
  const id = await placing.order('+14155551234')
  const call = await placing.ended(id)
  expect({
    status: call.status,
    sipResponseCode: call.sipResponseCode,
    told: await placing.told(id),
  }).toEqual(expected)
  expect(call.duration).toBe(0)
})

test('nobody answers within the timeout', async () => {
  placing.calls.farEnd = () => ({ ringMs: 5 })
  const id = await placing.order('+14155551234', {
    instructions: { order: { timeoutSeconds: 1, timeLimitSeconds: 60 } },
  })
  expect(await placing.ended(id)).toMatchObject({ status: 'no-answer', hangupCause: 'NO_ANSWER' })
  expect(await placing.told(id)).toEqual(['0 initiated', '1 ringing', '2 no-answer'])
})

test('the switch forgets the note of a call that is over', async () => {
  const id = await placing.order('+14155551234')
  const { channelUuid } = await placing.ended(id)
  await expect
    .poll(() => placing.fake.commands.includes(`hash delete/placed/${channelUuid}`), { timeout: 3000 })
    .toBe(true)
})

describe('where a call goes', () => {
  const lastEndpoint = () => placing.calls.originates.at(-1)?.endpoint

  test('through a gateway, at the switch that has it', async () => {
    const trunk = await placing.trunk({
      ...{ authenticationMode: 'outbound_registration', username: 'u', password: 'p' },
      ...{ outboundHost: 'pbx.example.com:5070', outboundRoutePrefixes: ['44'] },
      ...{ outboundPlusPrefix: true },
    })
    const id = await placing.order('+442079460000')
    expect(await placing.ended(id)).toMatchObject({ status: 'completed' })
    expect(lastEndpoint()).toBe(`sofia/gateway/${trunk.id}/+442079460000`)
    expect(placing.calls.originates.at(-1)?.variables.origination_caller_id_number).toBe('+19175559876')
  })

  test('nowhere from a number that was released while its call waited', async () => {
    const { platform, tenant, calls } = placing
    await placing.trunk({
      ...{ outboundHost: 'full.example.com', outboundRoutePrefixes: ['351'], maxChannels: 1 },
    })
    const given = await assignNumber(platform, tenant, '19175550199')
    const from = { id: given.id, number: '+19175550199' }
    calls.farEnd = () => ({ answerMs: 2, talkMs: 400 })
    const first = await placing.order('+351211234567')
    const second = await placing.order('+351211234567', { from })
    await eventually(async () => expect((await placing.call(first)).status).not.toBe('queued'))
    await platform.db
      .update(incomingPhoneNumbers)
      .set({ status: 'released' })
      .where(eq(incomingPhoneNumbers.id, given.id))
    expect(await placing.ended(second)).toMatchObject({ status: 'failed', sipResponseCode: 403 })
    expect(calls.originates.filter(({ callId }) => callId === second)).toEqual([])
  })

  test('nowhere for an account that was disabled while its calls waited', async () => {
    const { platform, tenant, calls } = placing
    const trunk = await placing.trunk({
      ...{ outboundHost: 'full.example.com', outboundRoutePrefixes: ['39'], maxChannels: 1 },
    })
    calls.farEnd = () => ({ answerMs: 2, talkMs: 400 })
    const first = await placing.order('+390612345678')
    const second = await placing.order('+390612345678')
    await eventually(async () => expect((await placing.call(first)).status).not.toBe('queued'))
    const set = (status: 'enabled' | 'disabled') =>
      platform.db.update(accounts).set({ status }).where(eq(accounts.id, tenant.account.id))
    await set('disabled')
    expect(await placing.ended(second)).toMatchObject({ status: 'failed', sipResponseCode: 403 })
    expect(await placing.ended(first)).toMatchObject({ status: 'completed', sipTrunkId: trunk.id })
    expect(await placing.told(second)).toEqual(['0 initiated', '1 failed'])
    expect(calls.originates.filter(({ callId }) => callId === second)).toEqual([])
    await set('enabled')
  })

  test('a call waits for a gateway that is being changed, and not for one that fails', async () => {
    const { fake, calls, platform } = placing
    const trunk = await placing.trunk({
      ...{ authenticationMode: 'outbound_registration', username: 'u', password: 'p' },
      ...{ outboundHost: 'pbx.example.com', outboundRoutePrefixes: ['49'] },
    })
    const up = () => fake.gateways.get(trunk.id)?.up === true && !fake.gateways.get(trunk.id)?.dying
    await eventually(() => expect(up()).toBe(true))
    const usual = calls.farEnd
    calls.farEnd = () => (up() ? { answerMs: 2 } : { channel: false })
    fake.tickMs = 300
    const changed = await changeTrunk(
      platform.db,
      platform.keys,
      { type: 'existing', trunk },
      { password: 'another' },
    )
    if (changed.type === 'refused') throw new Error('The password is one.')
    for (let place = 0; place < 8; place++) {
      const id = await placing.order('+493055500100')
      expect(await placing.ended(id)).toMatchObject({ status: 'completed' })
    }
    fake.tickMs = 20
    fake.registrar = () => ({ code: 403, phrase: 'Forbidden' })
    const again = { type: 'existing', trunk: changed.value } as const
    await changeTrunk(platform.db, platform.keys, again, { password: 'bad' })
    const lost = await placing.order('+493055500100')
    expect(await placing.ended(lost)).toMatchObject({ status: 'failed', sipResponseCode: 503 })
    calls.farEnd = usual
    fake.registrar = () => ({ code: 200, phrase: 'OK' })
  })

  test('to the registered contact of a client, and with 480 nowhere when it has not registered', async () => {
    const trunk = await placing.trunk({
      ...{ authenticationMode: 'client_credentials', outboundRoutePrefixes: ['855'] },
      ...{ outboundNationalDialing: true, inboundCountry: 'KH' },
    })
    const before = placing.calls.originates.length
    const unregistered = await placing.order('+85516701721')
    expect(await placing.ended(unregistered)).toMatchObject({
      status: 'failed',
      sipResponseCode: 480,
      hangupCause: 'SUBSCRIBER_ABSENT',
    })
    expect(await placing.told(unregistered)).toEqual(['0 initiated', '1 failed'])
    expect(placing.calls.originates.length).toBe(before)
    await register(trunk.username ?? '')
    const registered = await placing.order('+85516701721')
    expect(await placing.ended(registered)).toMatchObject({ status: 'completed' })
    expect(lastEndpoint()).toBe('sofia/nat_gateway/sip:016701721@192.0.2.77:5062;transport=tcp')
  })

  test('to a SIP URI, headers included, without a trunk', async () => {
    const id = await placing.order('sip:alice@pbx.example.com:5080;transport=tcp?X-Ticket=42')
    expect(await placing.ended(id)).toMatchObject({ status: 'completed', sipTrunkId: null })
    expect(placing.calls.originates.at(-1)).toMatchObject({
      endpoint: 'sofia/nat_gateway/sip:alice@pbx.example.com:5080;transport=tcp',
      variables: { 'sip_h_X-Ticket': '42', origination_caller_id_number: '+19175559876' },
    })
  })
})

// As the directory lets a client in, with the mark that it gives.
async function register(username: string) {
  const body = capturedFetch('directory-register-digest', { user: username, sip_auth_username: username })
  const answer = await post(freeswitch(placing.platform), '/xml', body)
  const mark = /name="mwi-account" value="([^"]+)"/.exec(await answer.text())?.[1] ?? ''
  const contact = `"" <sip:${username}@10.0.0.1:5060;transport=TCP;fs_nat=yes>`
  placing.fake.register({ username, registrationId: 'r1', contact, mark, expiresSeconds: 120 })
  await eventually(async () => expect(await placing.platform.db.select().from(registrations)).toHaveLength(1))
}
