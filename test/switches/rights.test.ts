import { sql } from 'drizzle-orm'
import { afterEach, expect, test } from 'vitest'
import { registrationOf } from '../../src/switches/registration.ts'
import type { StartedSwitches } from '../../src/switches/switches.ts'
import { changeTrunk } from '../../src/trunks/change.ts'
import type { Trunk } from '../../src/trunks/trunk.ts'
import { eventually } from '../support/eventually.ts'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { createTenant, createTrunk } from '../support/rows.ts'

// The right to run a gateway (its row in gateway_states) is never left with a switch that does not run it any more.

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.close()
  fleet = undefined
})

const gatewaysOf = ({ switches }: Fleet, name: string) =>
  [...(switches[name]?.gateways ?? [])].filter(([, { dying }]) => !dying).map(([gateway]) => gateway)

const allHeld = (server: StartedSwitches, held = [true, true]) =>
  eventually(() => expect(server.views().map((view) => view.held)).toEqual(held))

async function createGateway({ platform }: Fleet): Promise<Trunk> {
  return createTrunk(platform, await createTenant(platform), {
    authenticationMode: 'outbound_registration',
    region: 'hydrogen',
    username: 'user',
    password: 'secret',
    outboundHost: 'pbx.example.com',
  })
}

const toHelium = ({ platform }: Fleet, trunk: Trunk) =>
  changeTrunk(platform.db, platform.keys, { type: 'existing', trunk }, { region: 'helium' })

// Slower than the server stops: between its order to delete a gateway and the deletion.
function slowDown({ switches }: Fleet) {
  for (const fake of Object.values(switches)) fake.tickMs = 300
}

async function endsAt(fleet: Fleet, trunk: Trunk, from: string, to: string) {
  await eventually(
    () => expect([gatewaysOf(fleet, from), gatewaysOf(fleet, to)]).toEqual([[], [trunk.id]]),
    8000,
  )
  await eventually(async () =>
    expect(await registrationOf(fleet.platform.db, trunk)).toMatchObject({ state: 'registered' }),
  )
}

/** Two regions with a switch each, and a gateway that runs in the first. */
async function startAtHydrogen() {
  const running = await startFleet({ hydrogen: ['s1'], helium: ['s2'] })
  fleet = running
  const server = await running.startServer()
  await allHeld(server)
  const trunk = await createGateway(running)
  await eventually(() => expect(gatewaysOf(running, 's1')).toEqual([trunk.id]))
  await server.idle()
  return { server, trunk, running, s1: running.switches.s1 }
}

test('the server stops while a gateway is deleted whose trunk has changed its region', async () => {
  const { server, trunk, running, s1 } = await startAtHydrogen()
  slowDown(running)
  await toHelium(running, trunk)
  await eventually(() => expect(s1?.gateways.get(trunk.id)?.dying).toBe(true))
  await server.stop()
  await eventually(() => expect(s1?.gateways.has(trunk.id)).toBe(false))
  await running.startServer()
  await endsAt(running, trunk, 's1', 's2')
})

test('the server stops while a gateway is deleted that is to move back to a switch that has returned', async () => {
  fleet = await startFleet({ hydrogen: ['s1', 's2'] })
  const { platform, switches } = fleet
  const server = await fleet.startServer()
  await allHeld(server)
  const trunk = await createGateway(fleet)
  await eventually(() =>
    expect([...gatewaysOf(fleet as Fleet, 's1'), ...gatewaysOf(fleet as Fleet, 's2')]).toEqual([trunk.id]),
  )
  await server.idle()
  const [home, other] = gatewaysOf(fleet, 's1').length > 0 ? ['s1', 's2'] : ['s2', 's1']
  await switches[home]?.die()
  await allHeld(server, home === 's1' ? [false, true] : [true, false])
  await platform.db.execute(
    sql`UPDATE switches SET seen_at = seen_at - interval '31 seconds' WHERE id = ${switches[home]?.id}`,
  )
  await eventually(() => expect(gatewaysOf(fleet as Fleet, other)).toEqual([trunk.id]))
  await server.idle()
  slowDown(fleet)
  await switches[home]?.boot()
  await eventually(() => expect(switches[other]?.gateways.get(trunk.id)?.dying).toBe(true))
  await server.stop()
  await eventually(() => expect(switches[other]?.gateways.has(trunk.id)).toBe(false))
  await fleet.startServer()
  await endsAt(fleet, trunk, other, home)
})

test('a trunk changes its region while its switch is being restarted', async () => {
  const { server, trunk, running, s1 } = await startAtHydrogen()
  await s1?.die()
  await allHeld(server, [false, true])
  await toHelium(running, trunk)
  await server.idle()
  await s1?.boot(await running.wholeConf('s1'))
  await endsAt(running, trunk, 's1', 's2')
})
