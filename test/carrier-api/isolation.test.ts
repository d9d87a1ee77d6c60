import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { errorLogs, phoneCalls, webhookRequests } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { type Client, createClient, createTestApi, doc, type Reply } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'

// Two carriers with the same kinds of things. Whatever one asks, the other's things are to it as if they did not exist:
// the same answer as for an id that nobody has, nothing of theirs in any list, and nothing of theirs changed.

type Owner = Client & { carrier: { id: string } }
let platform: Platform
let own: Owner
let other: Owner
const ids = { own: {} as Record<string, string[]>, other: {} as Record<string, string[]> }

beforeAll(async () => {
  platform = await createTestPlatform()
  const app = createTestApi(platform)
  own = await createClient(platform, app, 'Own')
  other = await createClient(platform, app, 'Other')
  ids.own = await populate(own)
  ids.other = await populate(other)
})
afterAll(() => platform.database.close())

const types = [
  'sip_trunk',
  'account',
  'phone_number',
  'incoming_phone_number',
  'phone_call',
  'rate',
  'error_log',
  'webhook_request',
  'event',
]
const pathOf = (type: string) => `/${type}s`

// The same names, numbers and addresses for both: only the ids tell whose a thing is.
async function populate(client: Owner): Promise<Record<string, string[]>> {
  const made: Record<string, string[]> = {}
  const create = async (type: string, attributes: Record<string, unknown>, rest = {}) => {
    const reply = await client.post(pathOf(type), doc(type, attributes, rest))
    expect([type, reply.status]).toEqual([type, 201])
    made[type] = [...(made[type] ?? []), reply.data.id]
    return reply.data.id
  }
  for (const n of [1, 2, 3]) {
    const trunk = await create('sip_trunk', {
      name: `Trunk ${n}`,
      authentication_mode: 'ip_address',
      region: 'hydrogen',
      inbound_source_ips: [`203.0.113.${n}`, '198.51.100.0/24'],
      outbound_host: 'pbx.example.com',
      outbound_route_prefixes: n === 3 ? [] : [`${n}`],
    })
    const account = await create('account', { name: `Account ${n}`, sip_trunk_id: n === 1 ? trunk : null })
    const number = await create('phone_number', { number: `+1415555000${n}` })
    const relationships = {
      account: { data: { type: 'account', id: account } },
      phone_number: { data: { type: 'phone_number', id: number } },
    }
    const incoming = await create('incoming_phone_number', {}, { relationships })
    await create('rate', { direction: 'outbound', prefix: `${n}`, price_per_minute: '0.05' })
    await create('phone_number', { number: `+1415555100${n}` })
    const [call] = await platform.db
      .insert(phoneCalls)
      .values({
        carrierId: client.carrier.id,
        accountId: account,
        sipTrunkId: trunk,
        incomingPhoneNumberId: incoming,
        direction: 'inbound',
        status: 'completed',
        from: '+14155559999',
        to: `+1415555000${n}`,
      })
      .returning({ id: phoneCalls.id })
    const [log] = await platform.db
      .insert(errorLogs)
      .values({
        carrierId: client.carrier.id,
        accountId: account,
        sipTrunkId: trunk,
        type: 'x',
        message: 'y',
      })
      .returning({ id: errorLogs.id })
    const [request] = await platform.db
      .insert(webhookRequests)
      .values({
        ...{ carrierId: client.carrier.id, accountId: account, callId: call?.id ?? '', step: 1 },
        ...{ state: 'answered', method: 'POST', url: 'https://app.example.com/', document: '<Response/>' },
      })
      .returning({ id: webhookRequests.id })
    made.webhook_request = [...(made.webhook_request ?? []), request?.id ?? '']
    made.phone_call = [...(made.phone_call ?? []), call?.id ?? '']
    made.error_log = [...(made.error_log ?? []), log?.id ?? '']
  }
  made.event = (await client.get('/events?page[size]=100')).list.map(({ id }) => id)
  return made
}

// Everything that the other carrier has, as the database holds it.
const tables = [
  'carriers',
  'api_tokens',
  'sip_trunks',
  'accounts',
  'phone_numbers',
  'incoming_phone_numbers',
  'phone_calls',
  'rates',
  'error_logs',
  'webhook_requests',
  'events',
]
async function stateOfOther(): Promise<string> {
  const state: unknown[] = []
  for (const table of tables) {
    const key = sql.raw(table === 'carriers' ? 'id' : 'carrier_id')
    state.push(
      await platform.db.execute(
        sql`SELECT row_to_json(t)::text AS row FROM ${sql.raw(table)} t WHERE ${key} = ${other.carrier.id}::uuid ORDER BY id`,
      ),
    )
  }
  const lists = await platform.db.execute(sql`
    SELECT row_to_json(s)::text AS row FROM sip_trunk_source_ips s JOIN sip_trunks t ON t.id = s.trunk_id
    WHERE t.carrier_id = ${other.carrier.id}::uuid ORDER BY s.trunk_id, s.position`)
  return JSON.stringify([state, lists])
}

const type = fc.constantFrom(...types)
const foreign = '{id}'
const one = fc.nat(2)
const filters = [
  'account',
  'sip_trunk',
  'incoming_phone_number',
  'phone_number',
  'parent_call',
  'phone_call',
  'resource',
]

/** A request with `{id}` wherever an id of the other carrier, or of nobody, is to stand. */
const request = fc.oneof(
  fc.record({
    method: fc.constant('GET'),
    path: fc.oneof(
      type.map((name) => `${pathOf(name)}/${foreign}`),
      fc
        .tuple(type, fc.constantFrom(...filters))
        .map(([name, by]) => `${pathOf(name)}?filter[${by}]=${foreign}`),
      fc
        .tuple(type, fc.constantFrom('after', 'before'))
        .map(([name, side]) => `${pathOf(name)}?page[${side}]=${foreign}`),
      type.map((name) => `${pathOf(name)}/${foreign}?include=account,sip_trunk`),
    ),
    body: fc.constant(null),
  }),
  fc.record({
    method: fc.constant('DELETE'),
    path: type.map((name) => `${pathOf(name)}/${foreign}`),
    body: fc.constant(null),
  }),
  fc.record({
    method: fc.constant('PATCH'),
    path: type.map((name) => `${pathOf(name)}/${foreign}`),
    body: type.map((name) => ({
      data: { type: name, id: foreign, attributes: { name: 'Taken', price: '1', friendly_name: 'x' } },
    })),
  }),
  fc.record({
    method: fc.constant('PATCH'),
    path: one.map((n) => `/accounts/own/${n}`),
    body: fc.constantFrom(
      { data: { type: 'account', id: 'own', attributes: { sip_trunk_id: foreign } } },
      {
        data: {
          type: 'account',
          id: 'own',
          relationships: { sip_trunk: { data: { type: 'sip_trunk', id: foreign } } },
        },
      },
    ),
  }),
  fc.record({
    method: fc.constant('POST'),
    path: fc.constant('/incoming_phone_numbers'),
    body: fc.constantFrom('account', 'phone_number').map((end) => ({
      data: {
        type: 'incoming_phone_number',
        attributes: {},
        relationships: {
          account: { data: { type: 'account', id: end === 'account' ? foreign : 'own' } },
          phone_number: { data: { type: 'phone_number', id: end === 'phone_number' ? foreign : 'own' } },
        },
      },
    })),
  }),
  fc.record({
    method: fc.constant('POST'),
    path: fc.constant('/accounts'),
    body: fc.constant({ data: { type: 'account', attributes: { name: 'New', sip_trunk_id: foreign } } }),
  }),
)

const send = async (sent: { method: string; path: string; body: unknown }, id: string): Promise<Reply> => {
  const ownAccount = ids.own.account?.[Number(/own\/(\d)/.exec(sent.path)?.[1] ?? 0)] ?? ''
  const path = sent.path.replace(foreign, id).replace(/own\/\d/, ownAccount)
  const free = (await own.get('/phone_numbers?filter[assigned]=false&page[size]=1')).list[0]?.id ?? ''
  const body = JSON.parse(
    JSON.stringify(sent.body)
      .replaceAll(foreign, id)
      .replace('"phone_number","id":"own"', `"phone_number","id":"${free}"`)
      .replaceAll('"own"', `"${ownAccount}"`),
  )
  if (sent.method === 'GET') return own.get(path)
  if (sent.method === 'DELETE') return own.remove(path)
  return sent.method === 'POST' ? own.post(path, body) : own.patch(path, body)
}

test('whose id it is, is not told: an id of the other carrier is as one of nobody', async () => {
  const before = await stateOfOther()
  await fc.assert(
    fc.asyncProperty(request, type, one, async (sent, kind, n) => {
      const name = /^\/(\w+)s\b/.exec(sent.path)?.[1] ?? ''
      // Mostly an id of the kind that the request is about, else of any other kind.
      const theirs = (n === 0 ? ids.other[kind] : ids.other[name])?.[n] ?? ids.other[kind]?.[n] ?? ''
      const nobodys = crypto.randomUUID()
      const [answer, expected] = [await send(sent, theirs), await send(sent, nobodys)]
      expect([answer.status, answer.text.replaceAll(theirs, 'ID')]).toEqual([
        expected.status,
        expected.text.replaceAll(nobodys, 'ID'),
      ])
    }),
    { numRuns: 400, endOnFailure: true },
  )
  expect(await stateOfOther()).toBe(before)
}, 60_000)

test('no list shows, counts or leads to anything of the other’s', async () => {
  const theirs = new Set(Object.values(ids.other).flat())
  const query = fc.record({
    kind: type,
    size: fc.integer({ min: 1, max: 100 }),
    sort: fc.constantFrom('', '&sort=created_at', '&sort=-created_at'),
    filter: fc.constantFrom('', '&filter[from_date]=2020-01-01', '&filter[to_date]=2999-01-01'),
    include: fc.constantFrom('', '&include=account', '&include=sip_trunk', '&include=account.sip_trunk'),
  })
  await fc.assert(
    fc.asyncProperty(query, async ({ kind, size, sort, filter, include }) => {
      const seen: string[] = []
      let path: string | null | undefined = `${pathOf(kind)}?page[size]=${size}${sort}${filter}${include}`
      while (path) {
        const reply: Reply = await own.get(path)
        if (reply.status === 400) return
        for (const id of reply.text.match(/[0-9a-f]{8}-[0-9a-f-]{27}/g) ?? [])
          expect(theirs.has(id)).toBe(false)
        expect(reply.text).not.toContain(other.carrier.id)
        seen.push(...reply.list.map(({ id }) => id))
        path = reply.links.next
      }
      const all = (await own.get(`${pathOf(kind)}?page[size]=100`)).list.map(({ id }) => id)
      expect([...seen].sort()).toEqual([...all].sort())
    }),
    { numRuns: 100, endOnFailure: true },
  )
}, 60_000)

test('the same names, numbers and addresses serve both, and neither hears of the other', async () => {
  const { data } = await own.get(`/sip_trunks/${ids.own.sip_trunk?.[0]}`)
  const warnings = JSON.stringify(data.meta)
  expect(warnings).toContain(ids.own.sip_trunk?.[1])
  for (const id of ids.other.sip_trunk ?? []) expect(warnings).not.toContain(id)
  const taken = await own.post('/phone_numbers', doc('phone_number', { number: '+14155550001' }))
  expect(taken.status).toBe(422)
  await other.post('/phone_numbers', doc('phone_number', { number: '+14155557777' }))
  expect((await own.post('/phone_numbers', doc('phone_number', { number: '+14155557777' }))).status).toBe(201)
})
