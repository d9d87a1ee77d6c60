import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { events, registrations } from '../../src/db/schema.ts'
import { freeswitch } from '../../src/freeswitch/index.ts'
import { contactsAt, lockContacts, storeContact } from '../../src/switches/client-queries.ts'
import { clientGone, clientRegistered } from '../../src/switches/clients.ts'
import { switchForTrunk } from '../../src/switches/lookup.ts'
import { registrationOf } from '../../src/switches/registration.ts'
import type { StartedSwitches } from '../../src/switches/switches.ts'
import { changeTrunk } from '../../src/trunks/change.ts'
import { deleteTrunk } from '../../src/trunks/queries.ts'
import { registrationMark, toMwiAccount } from '../../src/trunks/registration-mark.ts'
import type { Trunk, TrunkSettings } from '../../src/trunks/trunk.ts'
import { eventually } from '../support/eventually.ts'
import { type FakeFreeswitch, registerEvent } from '../support/fake-freeswitch.ts'
import { capturedFetch, post } from '../support/fetches.ts'
import { type Fleet, startFleet } from '../support/fleet.ts'
import { createTenant, createTrunk, type Tenant } from '../support/rows.ts'

let fleet: Fleet
let server: StartedSwitches
let fake: FakeFreeswitch
let tenant: Tenant
const db = () => fleet.platform.db

beforeAll(async () => {
  fleet = await startFleet({ hydrogen: ['s1'] })
  server = await fleet.startServer()
  const [first] = Object.values(fleet.switches)
  if (first === undefined) throw new Error('The fleet has a switch.')
  fake = first
  tenant = await createTenant(fleet.platform)
  await eventually(() => expect(server.views()[0]?.held).toBe(true))
})
afterAll(() => fleet.close())

const client = () => createTrunk(fleet.platform, tenant, { authenticationMode: 'client_credentials' })

async function change(trunk: Trunk, patch: Partial<TrunkSettings>): Promise<Trunk> {
  const changed = await changeTrunk(db(), fleet.platform.keys, { type: 'existing', trunk }, patch)
  if (changed.type === 'refused') throw new Error(JSON.stringify(changed.issues))
  return changed.value
}

// The mark as the directory that let the client in gave it.
async function register(trunk: Trunk, registrationId: string = crypto.randomUUID(), contact?: string) {
  const username = trunk.username ?? ''
  const fetch = capturedFetch('directory-register-digest', { user: username, sip_auth_username: username })
  const response = await post(freeswitch(fleet.platform), '/xml', fetch)
  const mark = /name="mwi-account" value="([^"]+)"/.exec(await response.text())?.[1]
  if (mark === undefined) throw new Error(`${username} was not let in.`)
  const from = contact ?? `"" <sip:${username}@192.0.2.77:5062;transport=udp>`
  return { username, registrationId, contact: from, mark, expiresSeconds: 120 }
}

const held = (trunk: Trunk) =>
  [...fake.registrations.values()].filter(({ username }) => username === trunk.username)
const flushesOf = (registration: { registrationId: string }) =>
  fake.commands.filter((command) => command.endsWith(`flush_inbound_reg ${registration.registrationId}`))
const eventTypes = async (trunk: Trunk) => {
  const told = await db().select().from(events).where(eq(events.resourceId, trunk.id)).orderBy(events.seq)
  return told.map(({ type }) => type)
}

test('a client that registers is shown, and gone when it goes', async () => {
  const trunk = await client()
  expect(await registrationOf(db(), trunk)).toEqual({ kind: 'client', state: 'unregistered', contacts: [] })
  expect(await switchForTrunk(db(), trunk)).toBeNull()
  const registration = await register(trunk)
  fake.register(registration)
  await eventually(async () =>
    expect(await registrationOf(db(), trunk)).toEqual({
      kind: 'client',
      state: 'registered',
      contacts: [
        {
          contact: registration.contact,
          userAgent: 'Test phone <1>',
          networkIp: '192.0.2.77',
          networkPort: 5062,
          since: expect.any(Date),
          expiresAt: expect.any(Date),
        },
      ],
    }),
  )
  expect(await switchForTrunk(db(), trunk)).toEqual({ id: fake.id, name: 's1' })
  fake.register(registration)
  fake.emit({
    'Event-Name': 'CUSTOM',
    'Event-Subclass': 'sofia::unregister',
    'call-id': registration.registrationId,
    'from-user': registration.username,
  })
  fake.registrations.clear()
  await eventually(async () =>
    expect(await registrationOf(db(), trunk)).toMatchObject({ state: 'unregistered' }),
  )
  expect(await eventTypes(trunk)).toEqual(['sip_trunk.client_registered', 'sip_trunk.client_unregistered'])
})

test('the same contact with another Call-ID is one contact', async () => {
  const trunk = await client()
  fake.register(await register(trunk, 'first'))
  const again = await register(trunk, 'second')
  fake.registrations.delete('first')
  fake.register(again)
  await eventually(async () => {
    const stored = await db().select().from(registrations).where(eq(registrations.trunkId, trunk.id))
    expect(stored.map(({ registrationId }) => registrationId)).toEqual(['second'])
  })
})

test.each([[{ password: 'another-one' }], [{ username: 'another-name' }]] as Partial<TrunkSettings>[][])(
  'a change of %j flushes what the old credentials let in, within two seconds',
  async (patch) => {
    const trunk = await client()
    const registration = await register(trunk)
    fake.register(registration)
    await eventually(async () =>
      expect(await registrationOf(db(), trunk)).toMatchObject({ state: 'registered' }),
    )
    await change(trunk, patch ?? {})
    await eventually(() => expect(held(trunk)).toEqual([]), 2000)
    expect(flushesOf(registration)).toHaveLength(1)
    await eventually(async () =>
      expect(await registrationOf(db(), trunk)).toMatchObject({ state: 'unregistered' }),
    )
  },
)

test('another host or name leaves the client registered', async () => {
  const trunk = await client()
  const registration = await register(trunk)
  fake.register(registration)
  await eventually(async () =>
    expect(await registrationOf(db(), trunk)).toMatchObject({ state: 'registered' }),
  )
  await change(trunk, { outboundHost: 'pbx.example.com', name: 'Renamed' })
  await server.idle()
  expect(flushesOf(registration)).toEqual([])
  expect(held(trunk)).toHaveLength(1)
})

test('a deleted trunk and one of another mode let nobody stay', async () => {
  const [deleted, switched] = [await client(), await client()]
  for (const trunk of [deleted, switched]) {
    fake.register(await register(trunk))
    await eventually(async () =>
      expect(await registrationOf(db(), trunk)).toMatchObject({ state: 'registered' }),
    )
  }
  await deleteTrunk(db(), deleted)
  await change(switched, { authenticationMode: 'ip_address', sourceIps: ['192.0.2.9'] })
  await eventually(() => expect([...held(deleted), ...held(switched)]).toEqual([]), 2000)
  await eventually(async () =>
    expect(await db().select().from(registrations).where(eq(registrations.trunkId, deleted.id))).toEqual([]),
  )
})

test('a Call-ID that fits into no command is flushed by its user name', async () => {
  const trunk = await client()
  fake.register(await register(trunk, 'a "b" reboot'))
  await eventually(async () =>
    expect(await registrationOf(db(), trunk)).toMatchObject({ state: 'registered' }),
  )
  await change(trunk, { password: 'another-one' })
  await eventually(() => expect(held(trunk)).toEqual([]), 2000)
  expect(fake.commands).toContain(`sofia profile nat_gateway flush_inbound_reg ${trunk.username}@trunks`)
})

test('a client that uses the Call-ID of another does it no harm', async () => {
  const [victim, attacker] = [await client(), await client()]
  const own = await register(victim, 'one-call-id')
  fake.register(own)
  fake.emit(registerEvent(await register(attacker, 'one-call-id')))
  for (const trunk of [victim, attacker])
    await eventually(async () =>
      expect(await registrationOf(db(), trunk)).toMatchObject({ state: 'registered' }),
    )
  await change(attacker, { password: 'another-one' })
  await eventually(async () =>
    expect(await registrationOf(db(), attacker)).toMatchObject({ state: 'unregistered' }),
  )
  expect(held(victim)).toEqual([own])
  expect(await registrationOf(db(), victim)).toMatchObject({ state: 'registered' })
})

test('who has the new credentials already stays', async () => {
  const trunk = await client()
  const old = await register(trunk)
  fake.register(old)
  const changed = await change(trunk, { password: 'another-one' })
  const fresh = await register(changed, undefined, `"" <sip:${trunk.username}@192.0.2.78:5062>`)
  fake.register(fresh)
  await eventually(() => expect(held(trunk)).toEqual([fresh]))
  await eventually(async () =>
    expect(await registrationOf(db(), trunk)).toMatchObject({ contacts: [{ contact: fresh.contact }] }),
  )
})

test('one that slips in with old credentials while they are changed is flushed', async () => {
  const trunk = await client()
  const old = await register(trunk)
  await change(trunk, { password: 'another-one' })
  fake.register(old)
  await eventually(() => expect(held(trunk)).toEqual([]), 2000)
})

test('what happened while nobody was connected is caught up with', async () => {
  const [stale, added, gone] = [await client(), await client(), await client()]
  const old = await register(stale)
  fake.register(await register(gone))
  await eventually(async () =>
    expect(await registrationOf(db(), gone)).toMatchObject({ state: 'registered' }),
  )
  await server.stop()
  fake.registrations.clear()
  fake.register(old)
  fake.register(await register(added))
  await change(stale, { password: 'another-one' })
  server = await fleet.startServer()
  await eventually(async () =>
    expect(await registrationOf(db(), added)).toMatchObject({ state: 'registered' }),
  )
  await eventually(() => expect(held(stale)).toEqual([]))
  await eventually(async () =>
    expect(await registrationOf(db(), gone)).toMatchObject({ state: 'unregistered' }),
  )
  await eventually(async () =>
    expect(await registrationOf(db(), stale)).toMatchObject({ state: 'unregistered' }),
  )
})

test('a registration that we did not let in is none of ours', async () => {
  const trunk = await client()
  const foreign = { ...(await register(trunk)), mark: `${trunk.username}@trunks` }
  fake.register(foreign)
  await server.idle()
  expect(flushesOf(foreign)).toEqual([])
  expect(await registrationOf(db(), trunk)).toMatchObject({ state: 'unregistered' })
})

// Only PostgreSQL runs both at once; there each waited for the other, and the word of one was dropped.
test('a contact that is renewed while its end is taken in: both words are', async () => {
  const self = { id: '10.0.0.1:8021', region: 'hydrogen' }
  const trunk = await client()
  const mark = registrationMark(trunk)
  const told = {
    ...(await register(trunk)),
    ...{ mark: toMwiAccount(mark), userAgent: null, networkIp: null, networkPort: null },
  }
  await clientRegistered(db(), self, told)
  let gone: Promise<void> | undefined
  await db().transaction(async (tx) => {
    await lockContacts(tx, trunk.id)
    gone = clientGone(db(), self, told)
    await new Promise((resolve) => setTimeout(resolve, 500))
    await storeContact(tx, self, { trunkId: trunk.id, mark }, told)
  })
  await gone
  expect(await contactsAt(db(), self)).toEqual([])
})
