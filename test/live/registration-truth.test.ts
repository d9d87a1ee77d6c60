import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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
