import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { rows } from '../../src/db/connect.ts'
import { switches } from '../../src/db/schema.ts'
import type { SwitchEvent } from '../../src/event-socket/event.ts'
import { freeswitch } from '../../src/freeswitch/index.ts'
import { anySwitchOf, switchForTrunk } from '../../src/switches/lookup.ts'
import { claimGateways, wishedVersions } from '../../src/switches/placement.ts'
import { registrationOf } from '../../src/switches/registration.ts'
import { startSwitches } from '../../src/switches/switches.ts'
import { changeTrunk } from '../../src/trunks/change.ts'
import type { Trunk } from '../../src/trunks/trunk.ts'
import { eventually } from '../support/eventually.ts'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { createTestPlatform } from '../support/platform.ts'
import { createTenant, createTrunk } from '../support/rows.ts'

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.close()
  fleet = undefined
})

async function createGateways({ platform }: Fleet, count: number, region = 'hydrogen'): Promise<Trunk[]> {
  const tenant = await createTenant(platform)
  const made: Trunk[] = []
  for (let index = 0; index < count; index++)
    made.push(
      await createTrunk(platform, tenant, {
        authenticationMode: 'outbound_registration',
        region,
        username: `user${index}`,
        password: 'secret',
        outboundHost: 'pbx.example.com',
      }),
    )
  return made
}

const namesIn = ({ switches }: Fleet, name: string) =>
  [...(switches[name]?.gateways ?? [])].filter(([, { dying }]) => !dying).map(([gateway]) => gateway)

// What 30 s without a sign of life do, without waiting for them.
const age = ({ platform }: Fleet, id: string | undefined) =>
  platform.db.execute(sql`UPDATE switches SET seen_at = seen_at - interval '31 seconds' WHERE id = ${id}`)

describe('two switches of a region', () => {
  test('each gateway runs on one; when one switch is gone its gateways move, and move back when it returns', async () => {
    fleet = await startFleet({ hydrogen: ['s1', 's2'] })
    const { platform, switches } = fleet
    const server = await fleet.startServer()
    await eventually(() => expect(server.views().map(({ held }) => held)).toEqual([true, true]))
    const trunks = await createGateways(fleet, 12)
    const ids = trunks.map(({ id }) => id).sort()
    const [here, there] = [() => namesIn(fleet as Fleet, 's1'), () => namesIn(fleet as Fleet, 's2')]
    await eventually(() => expect([...here(), ...there()].sort()).toEqual(ids))
    const [first, second] = [here().sort(), there().sort()]
    expect(Math.min(first.length, second.length)).toBeGreaterThan(0)
    const moved = trunks.find(({ id }) => id === first[0])
    if (moved === undefined) throw new Error('s1 runs a gateway.')

    await switches.s1?.die()
    await eventually(async () => expect(await switchForTrunk(platform.db, moved)).toBeNull())
    await server.idle()
    expect(there().sort()).toEqual(second)
    await age(fleet, switches.s1?.id)
    await eventually(() => expect(there().sort()).toEqual(ids))
    await eventually(async () =>
      expect(await switchForTrunk(platform.db, moved)).toEqual({ id: switches.s2?.id, name: 's2' }),
    )

    // Started again it finds its gateways with the other switch, and takes each when that one has let go.
    const boots = await fleet.wholeConf('s1')
    expect([...boots.keys()]).toEqual([])
    const double: string[] = []
    const serve = switches.s1?.serve
    if (switches.s1 && serve)
      switches.s1.serve = (gateway) => {
        if (switches.s2?.gateways.has(gateway)) double.push(gateway)
        return serve(gateway)
      }
    await switches.s1?.boot(boots)
    await eventually(() => expect([here().sort(), there().sort()]).toEqual([first, second]))
    expect(double).toEqual([])
    expect(switches.s2?.history.filter((entry) => entry.startsWith('deleted'))).toHaveLength(first.length)
    await eventually(async () =>
      expect(await switchForTrunk(platform.db, moved)).toEqual({ id: switches.s1?.id, name: 's1' }),
    )
    for (const trunk of trunks)
      await eventually(async () =>
        expect(await registrationOf(platform.db, trunk)).toMatchObject({ state: 'registered' }),
      )
  })

  test('a switch that is back within 30 s has its own gateways and no others', async () => {
    fleet = await startFleet({ hydrogen: ['s1', 's2'] })
    const server = await fleet.startServer()
    await eventually(() => expect(server.views().map(({ held }) => held)).toEqual([true, true]))
    await createGateways(fleet, 8)
    await eventually(() =>
      expect(namesIn(fleet as Fleet, 's1').length + namesIn(fleet as Fleet, 's2').length).toBe(8),
    )
    const first = namesIn(fleet, 's1').sort()
    await fleet.switches.s1?.die()
    expect([...(await fleet.wholeConf('s1')).keys()].sort()).toEqual(first)
    expect([...(await fleet.wholeConf('s2')).keys()].sort()).toEqual(namesIn(fleet, 's2').sort())
  })

  test('after a time in which nobody could look, no gateway moves before its switch had time to be seen', async () => {
    fleet = await startFleet({ hydrogen: ['s1', 's2'] })
    const { switches } = fleet
    const before = await fleet.startServer()
    await eventually(() => expect(before.views().map(({ held }) => held)).toEqual([true, true]))
    await createGateways(fleet, 8)
    const placed = () => ['s1', 's2'].map((name) => namesIn(fleet as Fleet, name).sort())
    await eventually(() => expect(placed().flat()).toHaveLength(8))
    const first = placed()
    await before.stop()
    for (const { id } of Object.values(switches)) await age(fleet, id)
    switches.s2?.cut()
    const began = Object.values(switches).map(({ history }) => history.length)
    const after = await fleet.startServer()
    await eventually(() => expect(after.views().map(({ held }) => held)).toEqual([true, false]))
    await new Promise((resolve) => setTimeout(resolve, 400))
    switches.s2?.mend()
    await eventually(() => expect(after.views().map(({ held }) => held)).toEqual([true, true]))
    await after.idle()
    await new Promise((resolve) => setTimeout(resolve, 800))
    expect(placed()).toEqual(first)
    expect(Object.values(switches).map(({ history }) => history.length)).toEqual(began)
  })

  test('a trunk that changes its region moves', async () => {
    fleet = await startFleet({ hydrogen: ['s1'], helium: ['s2'] })
    const { platform } = fleet
    await fleet.startServer()
    const [trunk] = await createGateways(fleet, 1)
    if (trunk === undefined) throw new Error('There is a trunk.')
    await eventually(() => expect(namesIn(fleet as Fleet, 's1')).toEqual([trunk.id]))
    await changeTrunk(platform.db, platform.keys, { type: 'existing', trunk }, { region: 'helium' })
    await eventually(() =>
      expect([namesIn(fleet as Fleet, 's1'), namesIn(fleet as Fleet, 's2')]).toEqual([[], [trunk.id]]),
    )
  })
})

describe('two servers on one database', () => {
  test('one watches a switch; when it stops or falls silent the other goes on', async () => {
    fleet = await startFleet({ hydrogen: ['s1'] })
    const { platform } = fleet
    const [one, two] = [await fleet.startServer(), await fleet.startServer()]
    const holders = () => [one, two].filter((server) => server.views()[0]?.held)
    await eventually(() => expect([one, two].map((server) => server.views()[0]?.up)).toEqual([true, true]))
    await eventually(() => expect(holders()).toHaveLength(1))
    const [trunk] = await createGateways(fleet, 1)
    await eventually(() => expect(namesIn(fleet as Fleet, 's1')).toEqual([trunk?.id]))
    expect(fleet.switches.s1?.history).toHaveLength(1)

    const heard: [number, SwitchEvent][] = []
    for (const [index, server] of [one, two].entries())
      server.onChannelEvent(async (event) => {
        heard.push([index, event])
      })
    const first = holders()[0] === one ? 0 : 1
    await Promise.all([one.idle(), two.idle()])
    const answer = { 'Event-Name': 'CHANNEL_ANSWER', 'Unique-ID': crypto.randomUUID() }
    fleet.switches.s1?.emit(answer)
    await eventually(() => expect(heard.map(([index]) => index)).toEqual([first]))

    await [one, two][first]?.stop()
    const other = [one, two][1 - first]
    await eventually(() => expect(other?.views()[0]?.held).toBe(true))
    await other?.idle()
    fleet.switches.s1?.emit(answer)
    await eventually(() => expect(heard.map(([index]) => index)).toEqual([first, 1 - first]))
    const [more] = await createGateways(fleet, 1)
    await eventually(() => expect(namesIn(fleet as Fleet, 's1')).toContain(more?.id))
    expect(await rows(platform.db, sql`SELECT 1 FROM switches WHERE state = 'up'`)).toHaveLength(1)
  })

  test('a server that dies without a word is succeeded when its hold has ended', async () => {
    fleet = await startFleet({ hydrogen: ['s1'] })
    const { platform } = fleet
    const dead = crypto.randomUUID()
    await platform.db.insert(switches).values({
      id: fleet.switches.s1?.id ?? '',
      region: 'hydrogen',
      state: 'up',
      name: 's1',
      holder: dead,
      seenAt: new Date(),
    })
    const server = await fleet.startServer()
    await eventually(() => expect(server.views()[0]?.up).toBe(true))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(server.views()[0]?.held).toBe(false)
    await platform.db.execute(sql`UPDATE switches SET seen_at = now() - interval '11 seconds'`)
    await eventually(() => expect(server.views()[0]?.held).toBe(true))
  })
})

test('a change of which no word came is found as soon as words may have been missed', async () => {
  fleet = await startFleet({ hydrogen: ['s1'] }, 1000, 60_000)
  const { database } = fleet.platform
  let missed = () => {}
  database.listen = async (_channel, _heard, tell = () => {}) => {
    missed = tell
    return async () => {}
  }
  const server = await fleet.startServer()
  await eventually(() => expect(server.views()[0]?.held).toBe(true))
  await server.idle()
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const [trunk] = await createGateways(fleet, 1)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(namesIn(fleet, 's1')).toEqual([])
  missed()
  await eventually(() => expect(namesIn(fleet as Fleet, 's1')).toEqual([trunk?.id]))
})

test('while very many gateways are compared, an order for a call waits for few of them', async () => {
  fleet = await startFleet({ hydrogen: ['s1'] })
  const fake = fleet.switches.s1
  if (fake === undefined) throw new Error('The fleet has a switch.')
  const server = await fleet.startServer()
  await createGateways(fleet, 120)
  await eventually(() => expect(namesIn(fleet as Fleet, 's1')).toHaveLength(120), 20_000)
  await server.idle()
  let began = 0
  const answered = new Promise<number>((resolve) => {
    fake.answer = (command) => {
      if (command.startsWith('sofia_gateway_data') && began === 0) {
        began = fake.commands.length
        void server.commands(fake.id)?.channelExists(crypto.randomUUID())
      }
      if (command.startsWith('uuid_exists')) resolve(fake.commands.length - began)
      return command.startsWith('uuid_exists') ? 'false' : undefined
    }
  })
  expect(await answered).toBeLessThan(50)
})

test('a switch whose SIP profile does not run is none: no call goes there, and its gateways go elsewhere', async () => {
  fleet = await startFleet({ hydrogen: ['s1', 's2'] })
  const { platform, switches: fakes } = fleet
  const without = (command: string) =>
    command.startsWith('sofia profile') ? 'Invalid Profile [nat_gateway]\n' : undefined
  if (fakes.s1) fakes.s1.answer = without
  const server = await fleet.startServer()
  await eventually(() =>
    expect(server.views()).toMatchObject([
      { up: true, held: false, problem: 'Invalid Profile [nat_gateway]' },
      { up: true, held: true, problem: null },
    ]),
  )
  const trunks = await createGateways(fleet, 6)
  const [here, there] = [() => namesIn(fleet as Fleet, 's1'), () => namesIn(fleet as Fleet, 's2')]
  await eventually(() => expect(there()).toHaveLength(6))
  for (let times = 0; times < 8; times++)
    expect((await anySwitchOf(platform.db, 'hydrogen'))?.name).toBe('s2')
  if (fakes.s1) fakes.s1.answer = () => undefined
  await eventually(() => expect(server.views()[0]).toMatchObject({ held: true, problem: null }))
  await eventually(() => expect([...here(), ...there()].sort()).toEqual(trunks.map(({ id }) => id).sort()))
  if (fakes.s1) fakes.s1.answer = without
  await eventually(() => expect(server.views()[0]).toMatchObject({ up: true, held: false }))
})

test('a switch that nobody reaches is down after six seconds, and not named', async () => {
  fleet = await startFleet({ hydrogen: ['s1'] })
  const { platform, switches: fakes } = fleet
  const server = await fleet.startServer()
  await eventually(async () =>
    expect(await anySwitchOf(platform.db, 'hydrogen')).toEqual({ id: fakes.s1?.id, name: 's1' }),
  )
  expect(await server.liveChannels(fakes.s1?.id ?? '')).toEqual(new Map())
  await fakes.s1?.die()
  await eventually(async () => expect(await anySwitchOf(platform.db, 'hydrogen')).toBeNull())
  expect(server.commands(fakes.s1?.id ?? '')).toBeNull()
  expect(await server.liveChannels(fakes.s1?.id ?? '')).toBeNull()
  await age(fleet, fakes.s1?.id)
  await eventually(async () =>
    expect(await rows(platform.db, sql`SELECT state FROM switches`)).toEqual([{ state: 'down' }]),
  )
})

test('EVENT_SOCKET=off: no switch is contacted, fetches are answered', async () => {
  const platform = await createTestPlatform({ EVENT_SOCKET: 'off' })
  const server = await startSwitches(platform)
  expect(server.views()).toEqual([])
  const tenant = await createTenant(platform)
  const settings = { username: 'u', password: 'p', outboundHost: 'pbx.example.com' }
  const trunk = await createTrunk(platform, tenant, {
    authenticationMode: 'outbound_registration',
    ...settings,
  })
  expect(await registrationOf(platform.db, trunk)).toMatchObject({ state: 'no switch' })
  const body = 'hostname=any&section=configuration&tag_name=configuration&key_name=name&key_value=sofia.conf'
  const whole = await freeswitch(platform).request('/xml', {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  expect(await whole.text()).toContain(`<gateway name="${trunk.id}">`)
  await server.stop()
  await platform.database.close()
})

test('any fleet: each gateway is wished on one living switch of its region, and only those of a lost one move', async () => {
  const platform = await createTestPlatform()
  const { db } = platform
  const tenant = await createTenant(platform)
  const count = 30
  for (let index = 0; index < count; index++)
    await createTrunk(platform, tenant, {
      authenticationMode: 'outbound_registration',
      username: `u${index}`,
      password: 'p',
      outboundHost: 'pbx.example.com',
    })
  const settle = async (alive: readonly string[]) => {
    const placed = new Map<string, string>()
    for (const id of alive) {
      const self = { id, region: 'hydrogen' }
      for await (const range of claimGateways(db, self, 7, 'from the gone'))
        for (const trunkId of (await wishedVersions(db, self, range)).keys()) {
          expect(placed.get(trunkId)).toBeUndefined()
          placed.set(trunkId, id)
        }
    }
    return placed
  }
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 5 }), fc.nat(), async (size, pick) => {
      await db.execute(sql`DELETE FROM gateway_states`)
      await db.execute(sql`DELETE FROM switches`)
      const ids = Array.from({ length: size }, (_, index) => `10.0.0.${index}:${8000 + (pick % 1000)}`)
      await db
        .insert(switches)
        .values(ids.map((id) => ({ id, region: 'hydrogen', state: 'up' as const, seenAt: new Date() })))
      const before = await settle(ids)
      expect(before.size).toBe(count)
      const lost = ids[pick % size] ?? ''
      await db.execute(sql`UPDATE switches SET seen_at = now() - interval '31 seconds' WHERE id = ${lost}`)
      const after = await settle(ids.filter((id) => id !== lost))
      expect(after.size).toBe(count)
      for (const [trunkId, id] of before) if (id !== lost) expect(after.get(trunkId)).toBe(id)
    }),
    { numRuns: 8 },
  )
  await platform.database.close()
})
