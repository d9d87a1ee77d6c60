import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import ipaddr from 'ipaddr.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findInbound } from '../../src/inbound/queries.ts'
import { type Arrival, routeInbound } from '../../src/inbound/route.ts'
import { normalise, stored } from '../../src/numbers/e164.ts'
import type { Platform } from '../../src/platform.ts'
import { contactSecret } from '../../src/trunks/contact-secret.ts'
import { createTestPlatform } from '../support/platform.ts'

// A naive router that is obviously right: it walks lists and knows no index. All worlds stand in one database beside
// each other, each with addresses and numbers of its own, so the real router meets 9,999 unrelated worlds every time.

type WorldTrunk = {
  id: string
  carrierId: string
  mode: 'ip_address' | 'client_credentials' | 'outbound_registration'
  country: 'US' | 'KH' | null
  username: string | null
  networks: string[]
}
type WorldNumber = {
  id: string
  carrierId: string
  accountId: string
  number: string
  enabled: boolean
  active: boolean
  voice: boolean
}
type World = { trunks: WorldTrunk[]; numbers: WorldNumber[]; arrivals: Arrival[] }

const worlds = 10_000
let platform: Platform
let all: World[]

beforeAll(async () => {
  platform = await createTestPlatform()
  all = Array.from({ length: worlds }, (_, index) => makeWorld(index, randomFrom(index + 1)))
  await store(all)
}, 300_000)
afterAll(() => platform.database.close())

test('agrees with a naive router on 10,000 worlds', { timeout: 300_000 }, async () => {
  const outcomes: Record<string, number> = {}
  for (const world of all)
    for (const arrival of world.arrivals) {
      const real = summary(routeInbound(arrival, await findInbound(platform.db, arrival), platform.keys))
      const naive = routeNaively(world, arrival)
      expect(real, JSON.stringify({ arrival, world })).toBe(naive)
      outcomes[naive.split(' ')[0] ?? ''] = (outcomes[naive.split(' ')[0] ?? ''] ?? 0) + 1
    }
  // The worlds are worth something only if everything happens in them.
  for (const kind of [
    'route',
    'unidentified',
    'ambiguous',
    'unknown-number',
    'disabled-account',
    'unconfigured-number',
  ])
    expect(outcomes[kind] ?? 0, kind).toBeGreaterThan(50)
})

const summary = (route: ReturnType<typeof routeInbound>) =>
  route.kind === 'route' ? `route ${route.trunk.id} ${route.number.id}` : route.refusal.kind

function routeNaively(world: World, arrival: Arrival): string {
  const gateway = world.trunks.find(
    (trunk) => trunk.id === arrival.gateway?.id && trunk.mode === 'outbound_registration',
  )
  if (gateway && isProven(gateway, arrival)) return decide(world, arrival, [gateway])
  const client = world.trunks.find(
    (trunk) => trunk.mode === 'client_credentials' && trunk.username === arrival.username,
  )
  if (client && arrival.username !== null) return decide(world, arrival, [client])
  const listed = world.trunks.filter(
    (trunk) => trunk.mode === 'ip_address' && bestLength(trunk, arrival) >= 0,
  )
  if (listed.length === 0) return 'unidentified'
  const carriers = [...new Set(listed.map(({ carrierId }) => carrierId))]
  const decided = carriers
    .map((id) =>
      decideFor(
        world,
        arrival,
        listed.filter(({ carrierId }) => carrierId === id),
      ),
    )
    .filter((outcome) => outcome !== 'unknown-number')
  if (decided.length > 1) return 'ambiguous'
  return decided[0] ?? 'unknown-number'
}

function decideFor(world: World, arrival: Arrival, ofOneCarrier: readonly WorldTrunk[]): string {
  for (let length = 128; length >= 0; length--) {
    const group = ofOneCarrier.filter((trunk) => bestLength(trunk, arrival) === length)
    const decided = decide(world, arrival, group)
    if (decided !== 'unknown-number') return decided
  }
  return 'unknown-number'
}

const isProven = (trunk: WorldTrunk, arrival: Arrival) =>
  (arrival.gateway?.parameters ?? '').includes(`tok=${secretOf(trunk)};`) || bestLength(trunk, arrival) >= 0

const secretOf = (trunk: WorldTrunk) =>
  contactSecret(platform.keys, { ...trunk, outboundHost: null, outboundProxy: null })

function bestLength(trunk: WorldTrunk, { sourceIp }: Arrival): number {
  if (sourceIp === null) return -1
  const address = ipaddr.parse(sourceIp)
  const lengths = trunk.networks.map((network) => {
    const [base, length] = ipaddr.parseCIDR(network)
    return base.kind() === address.kind() && address.match(base, length) ? length : -1
  })
  return Math.max(-1, ...lengths)
}

function decide(world: World, arrival: Arrival, group: readonly WorldTrunk[]): string {
  const found = group.flatMap((trunk) => {
    const dialled =
      trunk.mode === 'outbound_registration'
        ? [arrival.destination, arrival.toUser ?? '']
        : [arrival.destination]
    for (const text of dialled) {
      const meant = stored(normalise(text, trunk.country))
      const number = world.numbers.find(
        (n) => n.active && n.carrierId === trunk.carrierId && n.number === meant,
      )
      if (number) return [{ trunk, number }]
    }
    return []
  })
  const [only] = found
  if (only === undefined) return 'unknown-number'
  if (found.length > 1) return 'ambiguous'
  if (!only.number.enabled) return 'disabled-account'
  return only.number.voice ? `route ${only.trunk.id} ${only.number.id}` : 'unconfigured-number'
}

// A small generator of random numbers with a seed, so that a failure can be looked at again.
function randomFrom(seed: number) {
  let state = seed * 2654435761
  const next = () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) | 0
    return (state >>> 0) / 2 ** 32
  }
  for (let i = 0; i < 5; i++) next()
  const pick = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)] as T
  return { pick, chance: (part: number) => next() < part }
}
type Random = ReturnType<typeof randomFrom>

function makeWorld(index: number, random: Random): World {
  const carriers = [randomUUID(), randomUUID()]
  const place = `${10 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`
  const place6 = `2001:db8:${index.toString(16)}:`
  const networks = [
    `${place}.0/24`,
    `${place}.0/26`,
    `${place}.8/29`,
    `${place}.9/32`,
    `${place}.70/32`,
    `${place6}:/48`,
    `${place6}:9/128`,
  ]
  const trunks = Array.from({ length: random.pick([1, 2, 3, 4]) }, (_, n): WorldTrunk => {
    const mode = random.pick([
      'ip_address',
      'ip_address',
      'ip_address',
      'client_credentials',
      'outbound_registration',
    ] as const)
    return {
      id: randomUUID(),
      carrierId: random.pick(carriers),
      mode,
      country: random.pick(['US', 'KH', null]),
      username: mode === 'client_credentials' ? `user-${index}-${n}` : null,
      networks: mode === 'client_credentials' ? [] : networks.filter(() => random.chance(0.35)),
    }
  })
  const us = (n: number) => `1${4_000_000_000 + index * 4 + n}`
  const kh = (n: number) => `85512${String(index * 4 + n).padStart(6, '0')}`
  const numbers = carriers.flatMap((carrierId) =>
    [us(0), us(1), kh(0), '6703']
      .filter(() => random.chance(0.5))
      .map(
        (number): WorldNumber => ({
          id: randomUUID(),
          carrierId,
          accountId: randomUUID(),
          number,
          enabled: random.chance(0.85),
          active: random.chance(0.9),
          voice: random.chance(0.85),
        }),
      ),
  )
  const forms = (n: string) => [n, `+${n}`, n.replace(/^1/, ''), n.replace(/^855/, '0'), `00${n}`, `011${n}`]
  const dialled = [us(0), us(1), kh(0)].flatMap(forms).concat('6703', 'anonymous', '')
  const arrivals = [1].map((): Arrival => {
    const trunk = random.pick(trunks)
    const secret = random.chance(0.5) ? secretOf(trunk) : 'guess'
    return {
      gateway: random.chance(0.3)
        ? { id: trunk.id, parameters: `tok=${secret};transport=udp;gw=${trunk.id}` }
        : null,
      username: random.chance(0.2) ? (trunk.username ?? 'nobody') : null,
      sourceIp: random.pick([
        `${place}.9`,
        `${place}.10`,
        `${place}.70`,
        `${place}.200`,
        `${place6}:9`,
        `${place6}:a`,
        '192.0.2.7',
        null,
      ]),
      destination: random.pick(dialled),
      toUser: random.pick([null, ...dialled]),
      callerId: '6703',
    }
  })
  return { trunks, numbers, arrivals }
}

async function store(all: readonly World[]) {
  const insert = async (table: string, columns: string, records: readonly object[]) => {
    for (let from = 0; from < records.length; from += 5000)
      await platform.db.execute(
        sql`INSERT INTO ${sql.raw(table)} (${sql.raw(columns)}) SELECT ${sql.raw(columns)}
          FROM jsonb_populate_recordset(NULL::${sql.raw(table)}, ${JSON.stringify(records.slice(from, from + 5000))}::jsonb)`,
      )
  }
  const trunks = all.flatMap((world) => world.trunks)
  const numbers = all.flatMap((world) => world.numbers)
  const carrierIds = [...new Set([...trunks, ...numbers].map(({ carrierId }) => carrierId))]
  await insert(
    'carriers',
    'id, name, country_code, billing_currency',
    carrierIds.map((id) => ({ id, name: 'C', country_code: 'US', billing_currency: 'USD' })),
  )
  await insert(
    'accounts',
    'id, carrier_id, name, status, auth_token_encrypted',
    numbers.map((n) => ({
      id: n.accountId,
      carrier_id: n.carrierId,
      name: 'A',
      status: n.enabled ? 'enabled' : 'disabled',
      auth_token_encrypted: '\\x00',
    })),
  )
  await insert(
    'sip_trunks',
    'id, carrier_id, name, authentication_mode, region, inbound_country, username',
    trunks.map((t) => ({
      id: t.id,
      carrier_id: t.carrierId,
      name: 'T',
      authentication_mode: t.mode,
      region: 'hydrogen',
      inbound_country: t.country,
      username: t.username,
    })),
  )
  await insert(
    'sip_trunk_source_ips',
    'trunk_id, position, network',
    trunks.flatMap((t) => t.networks.map((network, position) => ({ trunk_id: t.id, position, network }))),
  )
  await insert(
    'phone_numbers',
    'id, carrier_id, number, type, country',
    numbers.map((n) => ({
      id: n.id,
      carrier_id: n.carrierId,
      number: n.number,
      type: 'local',
      country: 'US',
    })),
  )
  await insert(
    'incoming_phone_numbers',
    'id, carrier_id, account_id, phone_number_id, number, status, voice_url',
    numbers.map((n) => ({
      id: n.id,
      carrier_id: n.carrierId,
      account_id: n.accountId,
      phone_number_id: n.id,
      number: n.number,
      status: n.active ? 'active' : 'released',
      voice_url: n.voice ? 'https://a.example' : null,
    })),
  )
  await platform.db.execute(sql`ANALYZE`)
}
