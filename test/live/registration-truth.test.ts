import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gatewayEndpoint, writeOriginate } from '../../src/dialplan-action.ts'
import { toDialledNumber } from '../../src/sip-uri.ts'
import type { Resource } from './support/carrier.ts'
import { freeSipPort } from './support/ports.ts'
import { until } from './support/programs.ts'
import { type Registrar, startRegistrar } from './support/registrar.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
let pbx: Registrar
let silent: Socket

beforeAll(async () => {
  pbx = await startRegistrar(world.folder, 'pbx', { alice: 'alice-secret' })
  silent = createSocket('udp4').bind(await freeSipPort('127.0.0.1'), '127.0.0.1')
  await once(silent, 'listening')
})
afterAll(async () => {
  await pbx?.stop()
  silent?.close()
})

const create = (settings: object) =>
  world.carrier.create('sip_trunks', {
    name: 'PBX',
    authentication_mode: 'outbound_registration',
    region: 'hydrogen',
    username: 'alice',
    password: 'alice-secret',
    outbound_host: pbx.freeswitch.sip,
    ...settings,
  })

type Shown = {
  state: string
  sip_code: number | null
  reason: string | null
  next_retry_at: string | null
  since: string
}
const shown = async (trunk: Resource) =>
  (await world.carrier.show('sip_trunks', trunk.id)).meta?.registration as Shown

const becomes = (trunk: Resource, expected: Partial<Shown>, withinMs: number) =>
  until(
    `the trunk is shown as ${JSON.stringify(expected)}`,
    async () => {
      const registration = await shown(trunk)
      const fits = Object.entries(expected).every(
        ([name, value]) => registration[name as keyof Shown] === value,
      )
      return fits ? registration : undefined
    },
    withinMs,
  )

// When the switch knew, by its own log: its clock is ours.
async function knownSince(trunk: Resource, words: RegExp): Promise<number> {
  const line = await until(
    `the log of the switch says ${words}`,
    () =>
      world.freeswitch
        .complaints()
        .findLast((complaint) => complaint.includes(trunk.id) && words.test(complaint)),
    60_000,
  )
  return Date.parse(`${line.slice(0, 23).replace(' ', 'T')}Z`)
}

async function lateness(trunk: Resource, words: RegExp, expected: Partial<Shown>): Promise<Shown> {
  const knew = await knownSince(trunk, words)
  const registration = await becomes(trunk, expected, 6000)
  const late = Date.now() - knew
  console.log(
    `${registration.reason} (${registration.sip_code}): shown within ${late} ms of the switch knowing`,
  )
  expect(late).toBeLessThan(5000)
  return registration
}

// A provider that takes every registration, and asks for the password of calls from another address.
async function startTwoFaced(): Promise<{ port: number; close(): void }> {
  const [front, back] = [createSocket('udp4'), createSocket('udp4')]
  front.bind(await freeSipPort('127.0.0.1'), '127.0.0.1')
  back.bind(0, '127.0.0.9')
  await Promise.all([once(front, 'listening'), once(back, 'listening')])
  front.on('message', (bytes, { port, address }) => {
    const lines = bytes.toString().split('\r\n')
    const copied = lines.filter((line) => /^(via|from|call-id|cseq):/i.test(line))
    const to = `${lines.find((line) => /^to:/i.test(line))};tag=1`
    const answer = (by: Socket, ...more: string[]) =>
      by.send(
        [more[0], ...copied, to, ...more.slice(1), 'Content-Length: 0', '', ''].join('\r\n'),
        port,
        address,
      )
    const contact = lines.find((line) => /^contact:/i.test(line)) ?? ''
    if (lines[0]?.startsWith('REGISTER')) answer(front, 'SIP/2.0 200 OK', `${contact};expires=600`)
    if (lines[0]?.startsWith('INVITE'))
      answer(
        back,
        'SIP/2.0 407 Proxy Authentication Required',
        'Proxy-Authenticate: Digest realm="x", nonce="1"',
      )
  })
  return {
    port: front.address().port,
    close: () => {
      front.close()
      back.close()
    },
  }
}

test('a call for which another address wants the password: refused and told, while the registration stands', async () => {
  const provider = await startTwoFaced()
  const trunk = await create({ outbound_host: `127.0.0.1:${provider.port}` })
  const { since } = await becomes(trunk, { state: 'registered' }, 10_000)
  const number = toDialledNumber('14155551234')
  if (number === null) throw new Error('It can be dialled.')
  const order = writeOriginate({ endpoint: gatewayEndpoint(trunk.id, number), variables: {} })
  for (let calls = 0; calls < 2; calls++)
    expect(await world.freeswitch.api(`originate ${order} &park()`)).toMatch(/^-ERR/)
  const told = await until('the carrier is told', async () => {
    const logs = await world.carrier.list('error_logs', `?filter[sip_trunk]=${trunk.id}`)
    return logs.length > 0 ? logs : undefined
  })
  expect(told.map(({ attributes }) => attributes.type)).toEqual(['outbound_call.challenged_elsewhere'])
  await new Promise((resolve) => setTimeout(resolve, 2000))
  expect(await shown(trunk)).toMatchObject({ state: 'registered', since })
  await world.carrier.remove(trunk)
  provider.close()
})

test('a wrong password: refused, when it is tried again, and registered once it is right', async () => {
  const trunk = await create({ password: 'wrong' })
  const failed = await lateness(trunk, /Failed Registration with status/, {
    state: 'failed',
    sip_code: 403,
    reason: 'Forbidden',
  })
  const retry = await until(
    'the next try is told',
    async () => (await shown(trunk)).next_retry_at ?? undefined,
  )
  expect(Date.parse(retry) - Date.parse(failed.since)).toBeGreaterThan(20_000)
  expect(Date.parse(retry) - Date.parse(failed.since)).toBeLessThan(40_000)
  await world.carrier.update(trunk, { password: 'alice-secret' })
  await becomes(trunk, { state: 'registered', sip_code: null, reason: null, next_retry_at: null }, 10_000)
  const events = await world.carrier.list('events', `?filter[resource]=${trunk.id}`)
  const types = events.map(({ attributes }) => attributes.type).reverse()
  expect(types.filter((type) => String(type).startsWith('sip_trunk.regist'))).toEqual([
    'sip_trunk.registration_failed',
    'sip_trunk.registered',
  ])
  await world.carrier.remove(trunk)
})

// Each of these mostly waits for the switch's own patience to end.
describe.concurrent('what the switch learns after a while', () => {
  test('a registrar that does not answer', async () => {
    const trunk = await create({ outbound_host: `127.0.0.1:${silent.address().port}` })
    await becomes(trunk, { state: 'registering' }, 5000)
    await lateness(trunk, /Timeout Registering/, {
      state: 'failed',
      sip_code: null,
      reason: 'The registrar did not answer.',
    })
    await world.carrier.remove(trunk)
  })

  test('a port where nobody listens', async () => {
    const trunk = await create({ outbound_host: `127.0.0.1:${await freeSipPort('127.0.0.1')}` })
    await lateness(trunk, /Failed Registration with status/, {
      state: 'failed',
      sip_code: 503,
      reason: 'Service Unavailable',
    })
    await world.carrier.remove(trunk)
  })

  test('a host name that nobody knows', async () => {
    const trunk = await create({ outbound_host: 'no-such-host.invalid' })
    await lateness(trunk, /DNS Error/, {
      state: 'failed',
      sip_code: null,
      reason: 'The host name of the registrar could not be resolved.',
    })
    await world.carrier.remove(trunk)
  }, 120_000)

  test('a registrar that is restarted: lost when the switch knows, registered again when it is back', async () => {
    const trunk = await create({})
    await becomes(trunk, { state: 'registered' }, 10_000)
    await pbx.die()
    // As when the registration is due to be renewed, in nine minutes.
    await world.freeswitch.api(`sofia profile nat_gateway register ${trunk.id}`)
    await lateness(trunk, /Failed Registration with status/, {
      state: 'failed',
      sip_code: 503,
      reason: 'Service Unavailable',
    })
    await pbx.start()
    await becomes(trunk, { state: 'registered' }, 60_000)
    expect([...(await pbx.contacts()).keys()]).toEqual(['alice'])
  }, 120_000)
})
