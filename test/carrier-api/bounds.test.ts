import { randomUUID } from 'node:crypto'
import { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { negotiate } from '../../src/json-api/media-type.ts'
import type { Platform } from '../../src/platform.ts'
import { type Client, createClient, createTestApi, doc, problems } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'
import { createTrunk, tenantOf } from '../support/rows.ts'

// What is asked a thousand times over costs no more than what is asked once, or is refused.

let platform: Platform
let client: Client
let statements = 0

beforeAll(async () => {
  platform = await createTestPlatform({}, () => {
    statements += 1
  })
  const made = await createClient(platform, createTestApi(platform))
  client = made
  const tenant = await tenantOf(platform, made.carrier)
  await createTrunk(platform, tenant)
  await createTrunk(platform, tenant, { sourceIps: ['127.0.0.3'] })
})
afterAll(() => platform.database.close())

const repeated = (text: string, times: number) => Array(times).fill(text).join(',')

test.each([
  'created_at,created_at',
  'name,-name',
  '-created_at,name,-created_at',
  repeated('created_at', 1000),
])('a field to sort by is named once (%#)', async (sort) => {
  const reply = await client.get(`/sip_trunks?page[size]=1&sort=${sort}`)
  expect(new Set(problems(reply))).toEqual(new Set(['400 invalid_parameter sort']))
  expect(reply.errors[0]?.detail).toMatch(/^(created_at|name) is there more than once\.$/)
})

test('all that can be sorted by together leads to a next page', async () => {
  const sort = 'name,-updated_at,created_at'
  const first = await client.get(`/sip_trunks?page[size]=1&sort=${sort}`)
  expect((await client.get(first.links.next ?? '')).list).toHaveLength(1)
})

test('what is repeated in include, fields and lists of a filter counts once', async () => {
  const asked = async (query: string) => {
    const before = statements
    const reply = await client.get(`/accounts?${query}`)
    return { status: reply.status, errors: reply.errors.length, statements: statements - before }
  }
  const once = await asked('include=sip_trunk&fields[account]=name&filter[status]=enabled')
  expect(once).toMatchObject({ status: 200 })
  expect(
    await asked(
      [
        `include=${repeated('sip_trunk', 500)}`,
        `fields[account]=${repeated('name', 500)}`,
        `filter[status]=${repeated('enabled', 500)}`,
      ].join('&'),
    ),
  ).toEqual(once)
  expect(await asked(`include=${repeated('x', 500)}`)).toMatchObject({ status: 400, errors: 1 })
})

test('a filter takes 500 ids', async () => {
  const ids = Array.from({ length: 501 }, () => randomUUID())
  expect((await client.get(`/accounts?filter[sip_trunk]=${ids.slice(1).join(',')}`)).status).toBe(200)
  expect(problems(await client.get(`/accounts?filter[sip_trunk]=${ids.join(',')}`))).toEqual([
    '400 invalid_parameter filter[sip_trunk]',
  ])
})

test('of more errors than any list has items, the first thousand are told', async () => {
  const names = Array.from({ length: 3000 }, (_, index) => `x${index}`)
  const attributes = Object.fromEntries(names.map((name) => [name, 0]))
  const written = await client.post('/accounts', doc('account', attributes))
  expect([written.status, written.errors.length]).toEqual([422, 1000])
  const asked = await client.get(`/accounts?${names.join('&')}`)
  expect([asked.status, asked.errors.length]).toEqual([400, 1000])
})

const trunk = { name: 'T', authentication_mode: 'ip_address', region: 'hydrogen' }

test.each([
  ['inbound_source_ips', 'x', 501, 500],
  ['inbound_source_ips', 'x', 60_000, 500],
  ['outbound_route_prefixes', 1, 1001, 1000],
  ['outbound_route_prefixes', 1, 120_000, 1000],
])('%s of %j, %i times, are too many, whatever they are', async (name, item, count, most) => {
  const reply = await client.post(
    '/sip_trunks',
    doc('sip_trunk', { ...trunk, [name]: Array(count).fill(item) }),
  )
  const { title, detail, source } = reply.errors.find(({ code }) => code === 'too_long') ?? {}
  expect([reply.status, title, detail, source]).toEqual([
    422,
    `size cannot be greater than ${most}`,
    `${name} size cannot be greater than ${most}.`,
    { pointer: `/data/attributes/${name}` },
  ])
  expect(reply.errors.length).toBeLessThanOrEqual(2)
})

test('every item that is wrong is told of a list that is not too long', async () => {
  const reply = await client.post(
    '/sip_trunks',
    doc('sip_trunk', { ...trunk, inbound_source_ips: Array(500).fill('x') }),
  )
  expect([reply.status, reply.errors.length]).toEqual([422, 500])
})

// Each asked before anybody is known.
test.each(['"\\\\', '\\\\"', '"', ',"', ';"', ',;'])(
  'a header of %j, thousands of times, is read at once',
  async (unit) => {
    const value = `application/vnd.api+json;x=${unit.repeat(7000)}`.slice(0, 14_000)
    const app = new Hono().use(negotiate).get('/', (c) => c.text('read'))
    const started = process.cpuUsage()
    for (const header of ['Accept', 'Content-Type']) await app.request('/', { headers: { [header]: value } })
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(100)
  },
)
