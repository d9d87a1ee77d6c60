import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Platform } from '../../src/platform.ts'
import { createClient, createTestApi, doc } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'

const requests = 20_000
const slowestMs = 200

let platform: Platform
let app: ReturnType<typeof createTestApi>
let token: string
const ids: Record<string, string> = {}
beforeAll(async () => {
  platform = await createTestPlatform()
  app = createTestApi(platform)
  const client = await createClient(platform, app)
  token = client.token
  const trunk = { name: 'T', authentication_mode: 'client_credentials', region: 'hydrogen' }
  ids.sip_trunks = (await client.post('/sip_trunks', doc('sip_trunk', trunk))).data.id
  ids.accounts = (await client.post('/accounts', doc('account', { name: 'A' }))).data.id
  ids.phone_numbers = (
    await client.post('/phone_numbers', doc('phone_number', { number: '14155551234' }))
  ).data.id
  const relationships = {
    account: { data: { type: 'account', id: ids.accounts } },
    phone_number: { data: { type: 'phone_number', id: ids.phone_numbers } },
  }
  const incoming = doc('incoming_phone_number', {}, { relationships })
  ids.incoming_phone_numbers = (await client.post('/incoming_phone_numbers', incoming)).data.id
  Object.assign(valid.incoming_phone_numbers ?? {}, { links: relationships })
  const rate = { direction: 'inbound', prefix: '1', price_per_minute: '1' }
  ids.rates = (await client.post('/rates', doc('rate', rate))).data.id
  ids.events = (await client.get('/events')).list[0]?.id ?? ''
})
afterAll(() => platform.database.close())

const paths = [
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
const writable = ['sip_trunks', 'accounts', 'phone_numbers', 'incoming_phone_numbers', 'rates']
let made = 0
// What a new resource needs; random attributes take the place of these or come beside them.
const valid: Record<string, { attributes: () => Record<string, unknown>; links?: Record<string, unknown> }> =
  {
    sip_trunks: {
      attributes: () => ({ name: 'T', authentication_mode: 'client_credentials', region: 'hydrogen' }),
    },
    accounts: { attributes: () => ({ name: 'A' }) },
    phone_numbers: { attributes: () => ({ number: `1415555${String(made++ % 10_000).padStart(4, '0')}` }) },
    incoming_phone_numbers: { attributes: () => ({}) },
    rates: { attributes: () => ({ direction: 'outbound', prefix: `9${made++}`, price_per_minute: '1' }) },
  }
const attributes = [
  ...[
    'name',
    'authentication_mode',
    'region',
    'max_channels',
    'default_sender',
    'inbound_country',
    'inbound_source_ips',
  ],
  ...['outbound_host', 'outbound_proxy', 'auth_user', 'outbound_dial_string_prefix', 'outbound_plus_prefix'],
  ...[
    'outbound_route_prefixes',
    'username',
    'password',
    'status',
    'metadata',
    'sip_trunk_id',
    'billing_enabled',
  ],
  ...[
    'number',
    'type',
    'country',
    'visibility',
    'voice_url',
    'voice_method',
    'sip_domain',
    'friendly_name',
    'price',
  ],
  ...['direction', 'prefix', 'price_per_minute', 'id', 'created_at', '__proto__', 'constructor', '@x'],
]
const parameters = [
  ...[
    'sort',
    'include',
    'page[size]',
    'page[after]',
    'page[before]',
    'filter[name]',
    'filter[status]',
    'filter[number]',
  ],
  ...[
    'filter[account]',
    'filter[from_date]',
    'filter[to_date]',
    'filter[type]',
    'filter[prefix]',
    'filter[resource]',
  ],
  ...[
    'filter[to]',
    'filter[sip_trunk]',
    'filter[username]',
    'filter[assigned]',
    'fields[account]',
    'fields[sip_trunk]',
  ],
]

// Characters of all kinds: controls, NUL, lone surrogates, quotes, and what SQL, JSON and URLs care about.
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom('\0', '\ud800', '\udfff', "'", '"', '\\', '%', '${', '\n', '$1', ';--'),
    maxLength: 4,
  }),
  fc.constantFrom(
    '',
    'x'.repeat(5000),
    '1e999',
    '-0',
    '9'.repeat(40),
    '2026-02-30',
    '2026-01-01T00:00:00Z',
    '0000-00-00',
  ),
  fc.constantFrom(
    'hydrogen',
    'ip_address',
    'US',
    '203.0.113.1',
    '10.0.0.0/8',
    '+14155551234',
    'inbound',
    '0.05',
    'GET',
  ),
  fc.constantFrom(
    'name',
    '-created_at',
    'account.sip_trunk',
    'https://app.example.com/',
    'pbx.example.com:5060',
  ),
  fc.uuid(),
)
const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(2 ** 31, 2 ** 53, -1, 1e308, 0, 1e-9))
const value: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    text,
    number,
    fc.constantFrom(null, true, false, [], {}),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.oneof(text, fc.constantFrom('links', 'table', 'alias', 'data', 'id', 'type')),
      tie('value'),
      { maxKeys: 3 },
    ),
  ),
})).value

const mostlyOneOf = (usual: string[], others?: string[]) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: others ? fc.constantFrom(...others) : text },
  )
const members = fc.array(fc.tuple(mostlyOneOf(attributes), value), { maxLength: 3 })
const mostly = <Value>(usual: Value, others: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: others })
const linkage: fc.Arbitrary<unknown> = fc.oneof(
  value,
  fc.constant({ data: null }),
  fc.record({
    data: fc.record({ type: fc.constantFrom('account', 'sip_trunk', 'phone_number', 'x'), id: text }),
  }),
)
const document = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      type: mostly('right', text),
      id: mostly('right', fc.constantFrom('none', 'wrong')),
      pairs: members,
      link: mostly<unknown>('right', linkage),
    }),
  },
  { weight: 1, arbitrary: value },
)
const query = mostly<[string, string][]>(
  [],
  fc.array(
    fc.tuple(
      fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...parameters) }, { weight: 1, arbitrary: text }),
      text,
    ),
    { maxLength: 3 },
  ),
)
const headers = mostly<Record<string, string>>(
  {},
  fc.record(
    {
      'Content-Type': fc.constantFrom(
        'application/vnd.api+json',
        'application/vnd.api+json;x="',
        'text/plain',
        ';;,',
        '"',
      ),
      Accept: fc.constantFrom('*/*', 'application/vnd.api+json;a=b', ',,;q=x', '"'),
      'If-Match': fc.constantFrom('*', '"x"', 'W/"', ',', ''),
      'If-None-Match': fc.constantFrom('*', '"x"', ','),
    },
    { requiredKeys: [] },
  ),
)
// Lists are asked for with every kind of parameter; the other methods mostly without.
const request = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      method: fc.constantFrom('GET', 'HEAD'),
      path: fc.constantFrom(...paths),
      target: fc.oneof(fc.constant('all'), mostly('own', text)),
      query: fc.array(
        fc.tuple(
          mostlyOneOf(parameters),
          fc.oneof(text, fc.constantFrom('name', '-created_at', '5', 'enabled')),
        ),
        { maxLength: 2 },
      ),
      headers,
      document: fc.constant(null),
      cut: fc.constant(0),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      method: mostly('PATCH', fc.constantFrom('DELETE', 'PUT')),
      path: fc.constantFrom(...writable),
      target: mostly('own', text),
      query,
      headers,
      document,
      cut: mostly(0, fc.nat(20)),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      method: fc.constant('POST'),
      path: mostlyOneOf(writable, paths),
      target: fc.constant('all'),
      query,
      headers,
      document,
      cut: mostly(0, fc.nat(20)),
    }),
  },
)
type Fuzzed = {
  method: string
  path: string
  target: string
  query: [string, string][]
  headers: Record<string, string>
  document: unknown
  cut: number
}

function toRequest({
  method,
  path,
  target,
  query: pairs,
  headers: given,
  document: body,
  cut,
}: Fuzzed): Request {
  // What the others need is not deleted.
  const id =
    target === 'own' && method !== 'DELETE' ? (ids[path] ?? 'none') : encodeURIComponent(wellFormed(target))
  const url = new URL(`http://api.localhost/carrier/v1/${path}${target === 'all' ? '' : `/${id}`}`)
  for (const [name, content] of pairs) url.searchParams.append(name, content)
  const sent = JSON.stringify(toDocument(method, path, body))
  return new Request(url, {
    method,
    headers: { 'Content-Type': 'application/json', ...given, Authorization: `Bearer ${token}` },
    // Bytes cut from the end make some documents none.
    ...(method !== 'GET' && method !== 'HEAD' && { body: sent.slice(0, sent.length - cut) }),
  })
}

// A path has no lone surrogates: clients cannot encode them.
const wellFormed = (given: string) => given.replace(/\p{Surrogate}/gu, '')

function toDocument(method: string, path: string, body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !('pairs' in body)) return body
  const { type, id, pairs, link } = body as {
    type: string
    id: string
    pairs: [string, unknown][]
    link: unknown
  }
  const relationships =
    link === 'right' ? valid[path]?.links : { account: link, phone_number: link, sip_trunk: link }
  return {
    data: {
      type: type === 'right' ? path.replace(/s$/, '') : type,
      ...(id === 'right' && method !== 'POST' && { id: ids[path] }),
      ...(id === 'wrong' && { id: crypto.randomUUID() }),
      attributes: { ...(method === 'POST' && valid[path]?.attributes()), ...Object.fromEntries(pairs) },
      ...(relationships && { relationships }),
    },
  }
}

async function send(fuzzed: Fuzzed) {
  const sent = toRequest(fuzzed)
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  const response = await app.fetch(sent)
  const body = await response.text()
  const { user, system } = process.cpuUsage(cpu)
  // Time in which the machine ran something else is not its own.
  return { response, body, ms: Math.min(performance.now() - start, (user + system) / 1000) }
}

test(`${requests} random requests: every one is answered in words, none with 500, none after ${slowestMs} ms`, async () => {
  const statuses: Record<number, number> = {}
  let slowest = 0
  await fc.assert(
    fc.asyncProperty(request, async (fuzzed) => {
      const { response, body, ms } = await send(fuzzed)
      statuses[response.status] = (statuses[response.status] ?? 0) + 1
      expect(response.status).toBeLessThan(500)
      if (response.status >= 400 && fuzzed.method !== 'HEAD') {
        expect(JSON.parse(body).errors.length).toBeGreaterThan(0)
        expect(response.headers.get('content-type')).toBe('application/vnd.api+json')
      }
      // On a busy machine any request may have to wait for a processor: one that is slow in itself is slow again.
      const own = ms < slowestMs ? ms : Math.min(ms, (await send(fuzzed)).ms, (await send(fuzzed)).ms)
      slowest = Math.max(slowest, own)
      expect(own).toBeLessThan(slowestMs)
    }),
    { numRuns: requests, endOnFailure: true },
  )
  console.log(`${requests} random requests, slowest ${slowest.toFixed(0)} ms:`, statuses)
  for (const status of [200, 201, 400, 404, 409, 415, 422]) expect(statuses[status]).toBeGreaterThan(10)
}, 240_000)
