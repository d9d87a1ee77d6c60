import { beforeAll, expect, test } from 'vitest'
import { assignNumber, type Resource } from './support/carrier.ts'
import { until } from './support/programs.ts'
import {
  ack,
  ackRefusal,
  credentials,
  final,
  hangUp,
  hungUp,
  invite,
  pause,
  register,
  type Step,
} from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
const listed = '127.0.0.4'
let trunk: Resource

beforeAll(async () => {
  const { carrier, webhook } = world
  trunk = await carrier.create('sip_trunks', {
    name: 'Listed PBX',
    authentication_mode: 'ip_address',
    region: 'hydrogen',
    inbound_country: 'US',
    inbound_source_ips: [listed],
    max_channels: 10,
  })
  await assignNumber(carrier, '+14155551234', { voice_url: webhook.url('/voice') })
  webhook.answer('/voice', '<Response><Pause length="1"/><Say>Good morning.</Say></Response>')
  webhook.answer('/hold', '<Response><Say>Please hold.</Say><Pause length="60"/></Response>')
})

const refusedWith = (status: number): Step[] => [invite(), ...final(status), ackRefusal()]

/** What the route test of the same call says: a refusal's SIP status, or the trunk that takes it. */
async function tested(to: string, caller: object = { source_ip: listed }) {
  const test = { direction: 'inbound', to, from: '6703', ...caller }
  return (await world.carrier.create('route_tests', test)).attributes
}

async function lastLog() {
  const [log] = await world.carrier.list('error_logs', '?page[size]=1')
  return log?.attributes
}

test('a number that nobody has is refused with 404, and the error log says how it was understood', async () => {
  const caller = await world.sipp({ steps: refusedWith(404), from: listed, number: '4155550000' })
  expect(await caller.result()).toBe(0)
  expect(await lastLog()).toMatchObject({
    type: 'inbound_call.unknown_number',
    message: expect.stringContaining('4155550000, understood as +14155550000'),
    details: { sip_code: 404, source_ip: listed },
  })
  expect(JSON.stringify(await tested('4155550000'))).toContain('404')
})

test('a number of a disabled account is refused with 403', async () => {
  const { account } = await assignNumber(world.carrier, '+14155550403', {
    voice_url: world.webhook.url('/voice'),
  })
  await world.carrier.update(account, { status: 'disabled' })
  const caller = await world.sipp({ steps: refusedWith(403), from: listed, number: '14155550403' })
  expect(await caller.result()).toBe(0)
  expect(await lastLog()).toMatchObject({ type: 'inbound_call.disabled_account', details: { sip_code: 403 } })
  expect(JSON.stringify(await tested('14155550403'))).toContain('403')
})

test('the caller id 6703 passes as it is, and the route test names the trunk that took the call', async () => {
  const steps = [invite({ caller: '6703' }), ...final(200), ack(), ...hungUp()]
  const caller = await world.sipp({ steps, from: listed, number: '4155551234' })
  expect(await caller.result()).toBe(0)
  expect(world.webhook.requests('/voice').at(-1)?.params).toMatchObject({ From: '6703', To: '+14155551234' })
  expect(await tested('4155551234')).toMatchObject({ trunk_id: trunk.id })
})

test('a client registers, is seen, and calls; with another name in To it is refused', async () => {
  const client = await world.carrier.create('sip_trunks', {
    name: 'Softphone',
    authentication_mode: 'client_credentials',
    region: 'hydrogen',
    inbound_country: 'US',
  })
  const { username, password } = client.attributes as { username: string; password: string }
  const login = credentials(username, password)
  const registering = await world.sipp({
    steps: [register(), ...final(401), register({ cseq: 2, headers: [login] }), ...final(200)],
    from: '127.0.0.5',
    number: username,
  })
  expect(await registering.result()).toBe(0)
  expect(await world.freeswitch.api('sofia xmlstatus profile nat_gateway reg')).toContain(
    `<sip-auth-user>${username}</sip-auth-user>`,
  )
  const thief = await world.sipp({
    steps: [register(), ...final(401), register({ cseq: 2, headers: [login] }), ...final(403)],
    from: '127.0.0.6',
    number: 'another-tenant-0001',
  })
  expect(await thief.result()).toBe(0)
  const calling = await world.sipp({
    steps: [
      invite({ caller: username }),
      ...final(407),
      ackRefusal(),
      invite({ caller: username, cseq: 2, headers: [login] }),
      ...final(200),
      ack(2),
      ...hungUp(),
    ],
    from: '127.0.0.5',
    number: '14155551234',
  })
  expect(await calling.result()).toBe(0)
  expect(await tested('14155551234', { username })).toMatchObject({ trunk_id: client.id })
  expect(JSON.stringify(await tested('14155551234', { source_ip: '127.0.0.5' }))).toContain('407')

  await world.carrier.remove(client)
  await until('its registration is flushed', async () =>
    (await world.freeswitch.api('sofia xmlstatus profile nat_gateway reg')).includes(username)
      ? undefined
      : true,
  )
})

// Fifty calls in one second: whoever is answered stays until the others were refused.
const burst = async () => {
  const callers = await world.sipp({
    steps: [
      invite(),
      ...[100, 180, 183].map((status) => `<recv response="${status}" optional="true"/>`),
      '<recv response="503" optional="true" next="refused"/>',
      '<recv response="200" rrs="true"/>',
      ack(),
      pause(6000),
      ...hangUp(),
      '<nop next="done"/>',
      '<label id="refused"/>',
      ackRefusal(),
      '<label id="done"/>',
    ],
    from: listed,
    number: '14155559999',
    calls: 50,
    perSecond: 50,
    timeoutSeconds: 60,
  })
  const result = await callers.result()
  const received = callers.messages().filter(({ direction }) => direction === 'received')
  const count = (status: string, cseq: string) =>
    new Set(
      received
        .filter(({ firstLine, text }) => firstLine.startsWith(`SIP/2.0 ${status}`) && text.includes(cseq))
        .map(({ text }) => /^Call-ID: (.*)$/m.exec(text)?.[1]),
    ).size
  return { result, answered: count('200', 'INVITE'), refused: count('503', 'INVITE') }
}

test('of a burst of fifty calls exactly max_channels are answered, and as many again afterwards', async () => {
  await assignNumber(world.carrier, '+14155559999', { voice_url: world.webhook.url('/hold') })
  expect(await burst()).toEqual({ result: 0, answered: 10, refused: 40 })
  expect(await burst()).toEqual({ result: 0, answered: 10, refused: 40 })
}, 150_000)
