import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Business, createBusiness } from './support/account.ts'
import { assignNumber } from './support/carrier.ts'
import { until } from './support/programs.ts'
import { openRawPhone, type RawPhone } from './support/raw-phone.ts'
import { useWorld } from './support/world.ts'

// An INVITE with `Replaces` never comes to the dialplan: FreeSWITCH answers whoever sends it and gives him the other party
// of the dialog that it names, both of them, or what that call runs (sofia.c, sofia_handle_sip_i_invite_replaces). Nobody
// may have anything of it.

const world = useWorld()
const called = '14155551234'
let caller: RawPhone
let pbx: RawPhone
let stranger: RawPhone
let business: Business

beforeAll(async () => {
  const { server, carrier, freeswitch, webhook } = world
  caller = await openRawPhone('127.0.0.2', freeswitch.sip)
  pbx = await openRawPhone('127.0.0.3', freeswitch.sip)
  stranger = await openRawPhone('127.0.0.9', freeswitch.sip)
  const trunk = { authentication_mode: 'ip_address', region: 'hydrogen', inbound_country: 'US' }
  await carrier.create('sip_trunks', {
    ...{ ...trunk, name: 'Callers', inbound_source_ips: ['127.0.0.2'], max_channels: 1 },
  })
  await carrier.create('sip_trunks', {
    ...{ ...trunk, name: 'PBX', inbound_source_ips: ['127.0.0.3'], outbound_host: pbx.address },
  })
  await assignNumber(carrier, `+${called}`, { voice_url: webhook.url('/voice') })
  business = await createBusiness(server, carrier, webhook)
})

afterAll(() => {
  for (const phone of [caller, pbx, stranger]) phone?.close()
})

type Row = { uuid: string; direction: string; callstate: string }
const channels = async (): Promise<Row[]> =>
  JSON.parse(await world.freeswitch.api('show channels as json')).rows ?? []
const live = async () => (await channels()).map(({ uuid }) => uuid).sort()
const none = () => until('no channel is left', async () => ((await live()).length === 0 ? true : undefined))

/** The channels once there are so many in a state. */
const reached = (callstate: string, count: number) =>
  until(`${count} channels are ${callstate}`, async () => {
    const rows = await channels()
    return rows.length === count && rows.every((row) => row.callstate === callstate) ? rows : undefined
  })

/** The header that names the dialog of a leg; its `to-tag` is the switch's own. */
async function replaces(rows: readonly Row[], direction: 'inbound' | 'outbound'): Promise<string> {
  const dump = await world.freeswitch.api(
    `uuid_dump ${rows.find((row) => row.direction === direction)?.uuid}`,
  )
  const value = (name: string) => new RegExp(`^variable_sip_${name}: (\\S+)`, 'm').exec(dump)?.[1]
  const [own, other] = direction === 'inbound' ? ['to_tag', 'from_tag'] : ['from_tag', 'to_tag']
  return `Replaces: ${value('call_id')};to-tag=${value(own ?? '')};from-tag=${value(other ?? '')}`
}

/** The stranger sends it, and stays for as long as he may. */
async function intrude(headers: readonly string[], number = 'x') {
  const begun = performance.now()
  const end = await stranger.call({ number, headers, talkMs: 6000 })
  return { ...end, milliseconds: performance.now() - begun }
}

/** The calls that began last, the newest first. */
const calls = async (count: number) =>
  (await world.carrier.list('phone_calls')).slice(0, count).map(({ attributes }) => attributes)
const bothEnded = () =>
  until('both calls are completed', async () => {
    const ended = await calls(2)
    return ended.every(({ status }) => status === 'completed') ? ended : undefined
  })

test.each([
  ['inbound', []],
  ['outbound', []],
  // Joins the two as a third instead.
  ['inbound', ['Call-Info: <sip:x@127.0.0.9>;appearance-index=1']],
  ['outbound', ['Call-Info: <sip:x@127.0.0.9>;appearance-index=1']],
] as const)('of two who talk, the dialog of the %s leg, with the headers %j', async (direction, headers) => {
  world.webhook.answer('/voice', '<Response><Dial><Number>+14155550007</Number></Dial></Response>')
  const before = (await world.carrier.list('phone_calls')).length
  const talk = caller.call({ number: called, talkMs: 4000 })
  const two = await reached('ACTIVE', 2)
  const end = await intrude([await replaces(two, direction), ...headers])
  expect(end).toMatchObject({ status: 200, by: 'switch' })
  expect(end.milliseconds).toBeLessThan(1000)
  await pause(500)
  // The two go on, and are all that anybody is told of.
  expect(await live()).toEqual(two.map(({ uuid }) => uuid).sort())
  expect(await talk).toEqual({ status: 200, by: 'caller' })
  const [leg, parent] = await bothEnded()
  for (const call of [leg, parent]) {
    expect(call).toMatchObject({ hangup_cause: 'NORMAL_CLEARING' })
    expect(Number(call?.duration)).toBeGreaterThanOrEqual(3)
    expect(Number(call?.duration)).toBeLessThan(6)
  }
  expect(await world.carrier.list('phone_calls')).toHaveLength(before + 2)
  await none()
})

test('of a caller who hears a prompt, whose channel is free again', async () => {
  world.webhook.answer('/voice', '<Response><Gather timeout="20"/></Response>')
  const talk = caller.call({ number: called, talkMs: 15_000 })
  const end = await intrude([await replaces(await reached('ACTIVE', 1), 'inbound')])
  expect(end).toMatchObject({ status: 200, by: 'switch' })
  expect(end.milliseconds).toBeLessThan(1000)
  // FreeSWITCH ends the call that is named; whoever knows its dialog could have done so by a BYE.
  expect(await talk).toEqual({ status: 200, by: 'switch' })
  await until('the call is completed', async () =>
    (await calls(1))[0]?.status === 'completed' ? true : undefined,
  )
  await none()
  world.webhook.answer('/voice', '<Response><Pause length="1"/></Response>')
  expect(await caller.call({ number: called, talkMs: 5000 })).toEqual({ status: 200, by: 'switch' })
})

test('of a leg that rings, with applications of his own in the request line', async () => {
  world.webhook.answer('/long', '<Response><Pause length="60"/></Response>')
  const call = await business.call('+14155550008', { url: world.webhook.url('/long') })
  const [leg] = await reached('RINGING', 1)
  const own = 'set_global%3Areplaced%3Dyes,answer,playback%3Asilence_stream%3A//20000'
  const end = await intrude([await replaces(leg === undefined ? [] : [leg], 'outbound')], own)
  expect(end.by).toBe('switch')
  expect(end.milliseconds).toBeLessThan(1000)
  expect(await world.freeswitch.api('global_getvar replaced')).toBe('-ERR no reply')
  // FreeSWITCH may end the leg that is named, as a CANCEL would, or let it ring on: it is the business's own either way.
  const { status } = await business.client.calls(call.sid).fetch()
  expect(['ringing', 'failed']).toContain(status)
  if (status === 'ringing') await business.client.calls(call.sid).update({ status: 'completed' })
  await none()
})
