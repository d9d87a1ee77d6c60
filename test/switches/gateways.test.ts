import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { errorLogs, events, gatewayStates } from '../../src/db/schema.ts'
import { registrationOf } from '../../src/switches/registration.ts'
import type { StartedSwitches } from '../../src/switches/switches.ts'
import { changeTrunk } from '../../src/trunks/change.ts'
import { deleteTrunk } from '../../src/trunks/queries.ts'
import type { Trunk, TrunkSettings } from '../../src/trunks/trunk.ts'
import { eventually } from '../support/eventually.ts'
import type { FakeFreeswitch } from '../support/fake-freeswitch.ts'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { createTenant, createTrunk, type Tenant } from '../support/rows.ts'

let fleet: Fleet
let server: StartedSwitches
let fake: FakeFreeswitch
let tenant: Tenant
const db = () => fleet.platform.db

beforeAll(async () => {
  fleet = await startFleet({ hydrogen: ['s1'], helium: [] })
  server = await fleet.startServer()
  const [first] = Object.values(fleet.switches)
  if (first === undefined) throw new Error('The fleet has a switch.')
  fake = first
  tenant = await createTenant(fleet.platform)
  await eventually(() => expect(server.views()[0]?.held).toBe(true))
})
afterAll(() => fleet.close())
beforeEach(() => {
  fake.registrar = () => ({ code: 200, phrase: 'OK' })
})

const registering = (settings: Partial<TrunkSettings> = {}) =>
  createTrunk(fleet.platform, tenant, {
    authenticationMode: 'outbound_registration',
    username: 'user',
    password: 'secret',
    outboundHost: 'pbx.example.com',
    ...settings,
  })

async function change(trunk: Trunk, patch: Partial<TrunkSettings>): Promise<Trunk> {
  const changed = await changeTrunk(db(), fleet.platform.keys, { type: 'existing', trunk }, patch)
  if (changed.type === 'refused') throw new Error(JSON.stringify(changed.issues))
  return changed.value
}

const runs = (trunk: Trunk, version: number | undefined) =>
  eventually(async () => {
    await server.idle()
    expect(fake.gateways.get(trunk.id)?.version).toBe(version)
    expect(fake.gateways.get(trunk.id)?.dying ?? false).toBe(false)
  })
const shows = (trunk: Trunk, expected: object) =>
  eventually(async () => expect(await registrationOf(db(), trunk)).toMatchObject(expected))
const historyOf = (trunk: Trunk) =>
  fake.history.filter((entry) => entry.endsWith(trunk.id)).map((entry) => entry.split(' ')[0])

test('a new trunk is started and shown as registered', async () => {
  const trunk = await registering()
  await runs(trunk, 1)
  await shows(trunk, {
    kind: 'gateway',
    state: 'registered',
    sipCode: null,
    reason: null,
    runningVersion: 1,
    savedVersion: 1,
    nextTryAt: null,
  })
  const registration = await registrationOf(db(), trunk)
  if (registration?.kind !== 'gateway') throw new Error('A gateway was expected.')
  expect(Math.abs(Date.now() - Number(registration.since))).toBeLessThan(5000)
  expect(Math.abs(Date.now() + 600_000 - Number(registration.expiresAt))).toBeLessThan(5000)
  expect(historyOf(trunk)).toEqual(['added'])
})

test.each([
  [{ username: 'other' }],
  [{ password: 'other' }],
  [{ outboundHost: 'other.example.com' }],
  [{ outboundProxy: 'proxy.example.com' }],
  [{ authUser: 'digest' }],
] as Partial<TrunkSettings>[][])(
  'a change of %j deletes the old gateway before the new one is started',
  async (patch) => {
    const trunk = await registering()
    await runs(trunk, 1)
    const overlap: boolean[] = []
    const serve = fake.serve
    fake.serve = (gateway) => {
      overlap.push(fake.gateways.has(gateway))
      return serve(gateway)
    }
    const changed = await change(trunk, patch ?? {})
    await runs(changed, 2)
    fake.serve = serve
    expect(overlap).toEqual([false])
    expect(historyOf(trunk)).toEqual(['added', 'deleted', 'added'])
    await shows(changed, { state: 'registered', runningVersion: 2, savedVersion: 2 })
  },
)

test('a change of what the switch does not run leaves the gateway alone', async () => {
  const trunk = await registering()
  await runs(trunk, 1)
  await change(trunk, { name: 'Another name', maxChannels: 5, outboundPlusPrefix: true })
  await server.idle()
  expect(historyOf(trunk)).toEqual(['added'])
})

test('several changes at once end with the last', async () => {
  let trunk = await registering()
  for (const password of ['a', 'b', 'c', 'd', 'e']) trunk = await change(trunk, { password })
  await runs(trunk, 6)
  await shows(trunk, { state: 'registered', runningVersion: 6, savedVersion: 6 })
})

test('a deleted trunk leaves no gateway', async () => {
  const trunk = await registering()
  await runs(trunk, 1)
  await deleteTrunk(db(), trunk)
  await runs(trunk, undefined)
  expect(historyOf(trunk)).toEqual(['added', 'deleted'])
})

test('modes are switched both ways', async () => {
  const trunk = await registering()
  await runs(trunk, 1)
  const byAddress = await change(trunk, { authenticationMode: 'ip_address', sourceIps: ['192.0.2.1'] })
  await runs(trunk, undefined)
  expect(await db().select().from(gatewayStates).where(eq(gatewayStates.trunkId, trunk.id))).toEqual([])
  expect(await registrationOf(db(), byAddress)).toBeNull()
  const back = await change(byAddress, {
    authenticationMode: 'outbound_registration',
    username: 'user',
    password: 'secret',
    outboundHost: 'pbx.example.com',
  })
  await runs(trunk, 3)
  await shows(back, { state: 'registered', runningVersion: 3 })
})

test('a trunk of another region is started nowhere', async () => {
  const trunk = await registering({ region: 'helium' })
  await server.idle()
  expect(historyOf(trunk)).toEqual([])
  await shows(trunk, { state: 'no switch', reason: 'No switch of the region is up.' })
})

describe('what the registrar answers', () => {
  test('a refusal is shown with its code and reason, and when it is tried again', async () => {
    fake.registrar = () => ({ code: 403, phrase: 'Forbidden' })
    const trunk = await registering()
    await shows(trunk, {
      state: 'failed',
      sipCode: 403,
      reason: 'Forbidden',
      nextTryAt: expect.any(Date),
      expiresAt: null,
    })
    const since = (await registrationOf(db(), trunk)) as { since: Date }
    fake.emit(stateEvent(trunk, 'UNREGED'))
    fake.emit(stateEvent(trunk, 'TRYING'))
    await server.idle()
    await shows(trunk, { state: 'failed', sipCode: 403, since: since.since })
    fake.registrar = () => ({ code: 200, phrase: 'OK' })
    const changed = await change(trunk, { password: 'right' })
    await shows(changed, { state: 'registered', sipCode: null, reason: null, nextTryAt: null })
    const told = await db().select().from(events).where(eq(events.resourceId, trunk.id)).orderBy(events.seq)
    expect(told.map(({ type, details }) => ({ type, details }))).toEqual([
      {
        type: 'sip_trunk.registration_failed',
        details: { region: 'hydrogen', sip_code: 403, reason: 'Forbidden' },
      },
      { type: 'sip_trunk.registered', details: { region: 'hydrogen' } },
    ])
  })

  test('silence and a name that does not resolve', async () => {
    fake.registrar = () => null
    const trunk = await registering()
    await shows(trunk, { state: 'registering' })
    fake.emit(stateEvent(trunk, 'TIMEOUT'))
    fake.emit(stateEvent(trunk, 'FAILED'))
    await shows(trunk, { state: 'failed', sipCode: null, reason: 'The registrar did not answer.' })
    fake.emit({ ...stateEvent(trunk, 'FAILED'), Status: '503', Phrase: 'DNS Error' })
    await shows(trunk, {
      state: 'failed',
      sipCode: null,
      reason: 'The host name of the registrar could not be resolved.',
    })
  })

  test('a stranger that asks for the password', async () => {
    fake.registrar = () => null
    const trunk = await registering()
    await runs(trunk, 1)
    const challenged = 'sofia::gateway_invalid_digest_req'
    fake.emit({ 'Event-Name': 'CUSTOM', 'Event-Subclass': challenged, Gateway: trunk.id, realm: '"x"' })
    fake.emit(stateEvent(trunk, 'TIMEOUT'))
    await shows(trunk, {
      state: 'failed',
      reason: expect.stringMatching(/^Another address than those of outbound_host/),
    })
  })

  test('a stranger that asks for the password of a call: the registration stands, the carrier is told once', async () => {
    const trunk = await registering()
    await shows(trunk, { state: 'registered' })
    const { since } = (await registrationOf(db(), trunk)) as { since: Date }
    const challenged = 'sofia::gateway_invalid_digest_req'
    const challenge = () =>
      fake.emit({ 'Event-Name': 'CUSTOM', 'Event-Subclass': challenged, Gateway: trunk.id, realm: '"x"' })
    const logs = () => db().select().from(errorLogs).where(eq(errorLogs.sipTrunkId, trunk.id))
    for (let calls = 0; calls < 3; calls++) challenge()
    await eventually(async () => expect(await logs()).toHaveLength(1))
    await server.idle()
    expect(await logs()).toMatchObject([
      {
        carrierId: tenant.carrier.id,
        type: 'outbound_call.challenged_elsewhere',
        message: expect.stringMatching(/^A call failed: another address than those of outbound_host/),
      },
    ])
    await shows(trunk, { state: 'registered', since })
    const running = fake.gateways.get(trunk.id)
    if (running) running.state = 'TRYING'
    await db().delete(errorLogs)
    challenge()
    await server.idle()
    expect(await logs()).toEqual([])
    await shows(trunk, { state: 'registered', since })
  })

  test('a renewal is no change, its loss is one', async () => {
    const trunk = await registering()
    await eventually(() => expect(fake.gateways.get(trunk.id)?.up).toBe(true))
    await shows(trunk, { state: 'registered' })
    const { since } = (await registrationOf(db(), trunk)) as { since: Date }
    for (const state of ['UNREGED', 'TRYING', 'REGISTER', 'REGED'])
      fake.emit({ ...stateEvent(trunk, state), 'Ping-Status': 'UP' })
    await server.idle()
    await shows(trunk, { state: 'registered', since })
    const running = fake.gateways.get(trunk.id)
    if (running) Object.assign(running, { state: 'FAILED', up: false })
    fake.emit({ ...stateEvent(trunk, 'FAILED'), Status: '503', Phrase: 'Service Unavailable' })
    await shows(trunk, { state: 'failed', sipCode: 503, reason: 'Service Unavailable' })
  })

  // FreeSWITCH takes a gateway out of use a second after the registrar has refused to renew its registration.
  test.each([
    ['refused', 'FAILED', { Status: '503', Phrase: 'Service Unavailable' }, 503, 'Service Unavailable'],
    ['not answered', 'TIMEOUT', {}, null, 'The registrar did not answer.'],
  ])('a renewal that is %s is told with its reason', async (_, state, word, sipCode, reason) => {
    const trunk = await registering()
    await shows(trunk, { state: 'registered' })
    fake.registrar = () => null
    fake.emit({ ...stateEvent(trunk, state), ...word, 'Ping-Status': 'UP' })
    if (state === 'TIMEOUT') fake.emit({ ...stateEvent(trunk, 'FAILED'), 'Ping-Status': 'UP' })
    const running = fake.gateways.get(trunk.id)
    if (running) Object.assign(running, { state: 'FAIL_WAIT', up: false })
    fake.emit(stateEvent(trunk, 'FAIL_WAIT'))
    await shows(trunk, { state: 'failed', sipCode, reason })
  })

  test('a failure whose reason was not heard is tried again at once', async () => {
    const trunk = await registering()
    await shows(trunk, { state: 'registered' })
    fake.registrar = () => ({ code: 404, phrase: 'Not Found' })
    const running = fake.gateways.get(trunk.id)
    if (running) Object.assign(running, { state: 'FAIL_WAIT', up: false })
    fake.emit(stateEvent(trunk, 'FAIL_WAIT'))
    await shows(trunk, { state: 'failed', sipCode: 404, reason: 'Not Found' })
  })
})

// A process that is held up for longer than its hold lasts hears nothing meanwhile: of a word that is told once, never.
const busy = { retry: 2 }

describe('the address that a registrar answered from', () => {
  const address = async (trunk: Trunk) => {
    const where = eq(gatewayStates.trunkId, trunk.id)
    const [row] = await db().select({ networkIp: gatewayStates.networkIp }).from(gatewayStates).where(where)
    return row?.networkIp
  }
  const is = (trunk: Trunk, expected: string | null) =>
    eventually(async () => expect(await address(trunk)).toBe(expected))

  test('is forgotten when the trunk registers elsewhere, and the new one kept', async () => {
    const trunk = await registering()
    await is(trunk, '192.0.2.10')
    fake.registrar = () => null
    const moved = await change(trunk, { outboundHost: 'other.example.com' })
    await runs(moved, 2)
    await is(moved, null)
    fake.registrar = () => ({ code: 200, phrase: 'OK' })
    await runs(await change(moved, { outboundHost: 'third.example.com' }), 3)
    await is(moved, '192.0.2.10')
  })

  test(
    'is asked for when the switch had the change by itself, and stays when there was none',
    busy,
    async () => {
      const trunk = await registering()
      await is(trunk, '192.0.2.10')
      await server.idle()
      await shows(trunk, { state: 'registered', runningVersion: 1 })
      await fake.die()
      const other = await change(trunk, { username: 'another' })
      await fake.boot(await fleet.wholeConf('s1'))
      const asked = `sofia profile nat_gateway register ${trunk.id}`
      await eventually(() => expect(fake.commands).toContain(asked))
      await is(other, '192.0.2.10')
      await shows(other, { state: 'registered', runningVersion: 2 })
      await fake.die()
      fake.registrar = () => null
      await fake.boot(await fleet.wholeConf('s1'))
      await runs(other, 2)
      expect(await address(trunk)).toBe('192.0.2.10')
    },
  )
})

describe('when something was missed', () => {
  test('strangers that bear a UUID are removed, others left alone', async () => {
    const stranger = crypto.randomUUID()
    const version = { version: 1, state: 'REGED', up: true, dying: false, startedAt: 0 }
    fake.gateways.set(stranger, { ...version })
    fake.gateways.set('my-own', { ...version })
    await eventually(() => expect([...fake.gateways.keys()]).not.toContain(stranger))
    expect(fake.gateways.has('my-own')).toBe(true)
    fake.gateways.delete('my-own')
  })

  test('a gateway that vanished, or runs another version, is set right', async () => {
    const [gone, old] = [await registering(), await registering()]
    await runs(gone, 1)
    await runs(old, 1)
    fake.gateways.delete(gone.id)
    const running = fake.gateways.get(old.id)
    if (running) running.version = 7
    await runs(gone, 1)
    await runs(old, 1)
  })

  test('a state that was not heard is read from the switch', busy, async () => {
    const trunk = await registering()
    await eventually(() => expect(fake.gateways.get(trunk.id)?.up).toBe(true))
    await shows(trunk, { state: 'registered' })
    const running = fake.gateways.get(trunk.id)
    if (running) Object.assign(running, { state: 'FAIL_WAIT', up: false })
    fake.registrar = () => ({ code: 404, phrase: 'Not Found' })
    await shows(trunk, { state: 'failed', sipCode: 404, reason: 'Not Found' })
  })

  test('a switch that starts no gateway is tried again, and the reason shown meanwhile', async () => {
    fake.answer = (command) => (command.includes('startgw') ? 'Invalid Profile [nat_gateway]' : undefined)
    const trunk = await registering()
    await shows(trunk, {
      state: 'failed',
      reason: 'The switch did not start the gateway: Invalid Profile [nat_gateway]',
    })
    fake.answer = () => undefined
    await runs(trunk, 1)
    await shows(trunk, { state: 'registered' })
  })

  test('changes while the switch was away', async () => {
    const [kept, changed, deleted, switched] = [
      await registering(),
      await registering(),
      await registering(),
      await registering(),
    ]
    for (const trunk of [kept, changed, deleted, switched]) await shows(trunk, { state: 'registered' })
    await fake.die()
    await eventually(() => expect(server.views()[0]).toMatchObject({ up: false, held: false }))
    await eventually(async () =>
      expect(await registrationOf(db(), kept)).toMatchObject({
        state: 'unknown',
        reason: 'Its switch is not reached.',
      }),
    )
    const newer = await change(changed, { password: 'new' })
    await deleteTrunk(db(), deleted)
    await change(switched, { authenticationMode: 'ip_address', sourceIps: ['192.0.2.1'] })
    const added = await registering()
    const boots = new Map([kept, changed, deleted, switched].map((trunk) => [trunk.id, 1]))
    await fake.boot(boots)
    await runs(kept, 1)
    await runs(newer, 2)
    await runs(deleted, undefined)
    await runs(switched, undefined)
    await runs(added, 1)
    await shows(newer, { state: 'registered', runningVersion: 2 })
  })
})

test('a switch that starts gets all its gateways from its fetch, and none is touched after', async () => {
  const trunk = await registering()
  await shows(trunk, { state: 'registered' })
  await fake.die()
  const boots = await fleet.wholeConf('s1')
  expect(boots.get(trunk.id)).toBe(1)
  await fake.boot(boots)
  const before = fake.history.length
  await eventually(() => expect(server.views()[0]?.held).toBe(true))
  await shows(trunk, { state: 'registered' })
  await server.idle()
  expect(fake.history.slice(before)).toEqual([])
})

const stateEvent = (trunk: Trunk, state: string) => ({
  'Event-Name': 'CUSTOM',
  'Event-Subclass': 'sofia::gateway_state',
  Gateway: trunk.id,
  State: state,
  'Ping-Status': 'DOWN',
})
