import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { type Client, createClient, createTestApi, doc, problems } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'

let platform: Platform
let client: Client & { carrier: { id: string } }
let other: Client
const ids: Record<string, string> = {}
beforeAll(async () => {
  platform = await createTestPlatform()
  const app = createTestApi(platform)
  client = await createClient(platform, app)
  other = await createClient(platform, app)
  const address = {
    authentication_mode: 'ip_address',
    region: 'hydrogen',
    inbound_source_ips: ['203.0.113.1'],
  }
  ids.trunk = await create(client, 'sip_trunk', { ...address, name: 'US', inbound_country: 'US' })
  ids.foreignTrunk = await create(other, 'sip_trunk', { ...address, name: 'Foreign' })
  ids.client = await create(client, 'sip_trunk', {
    name: 'Client',
    authentication_mode: 'client_credentials',
    region: 'hydrogen',
    username: 'route-test',
    password: 'long enough',
    outbound_route_prefixes: ['855'],
  })
  ids.gateway = await create(client, 'sip_trunk', {
    name: 'Gateway',
    authentication_mode: 'outbound_registration',
    region: 'hydrogen',
    username: 'alice',
    password: 'secret',
    outbound_host: 'pbx.example.com',
    outbound_plus_prefix: true,
    outbound_route_prefixes: ['44'],
  })
  ids.account = await create(client, 'account', { name: 'A' })
  ids.foreignAccount = await create(other, 'account', { name: 'F' })
  ids.incoming = await assign(client, ids.account, '+14155551234', { voice_url: 'https://a.example.com/v' })
  await assign(other, ids.foreignAccount, '+14155559999', { voice_url: 'https://b.example.com/v' })
  ids.nowhere = await assign(client, ids.account, '+14155550000', {})
})
afterAll(() => platform.database.close())

async function create(by: Client, type: string, attributes: Record<string, unknown>, rest = {}) {
  const reply = await by.post(`/${type}s`, doc(type, attributes, rest))
  expect([reply.status, reply.errors]).toEqual([201, []])
  return reply.data.id
}

async function assign(by: Client, account: string, number: string, attributes: Record<string, unknown>) {
  const phoneNumber = await create(by, 'phone_number', { number })
  return create(by, 'incoming_phone_number', attributes, {
    relationships: {
      account: { data: { type: 'account', id: account } },
      phone_number: { data: { type: 'phone_number', id: phoneNumber } },
    },
  })
}

const ask = async (attributes: Record<string, unknown>, by: Client = client) =>
  by.post('/route_tests', doc('route_test', attributes))
const inbound = async (attributes: Record<string, unknown>, by?: Client) =>
  (await ask({ direction: 'inbound', to: '4155551234', from: '9175551234', ...attributes }, by)).data
    .attributes
const outbound = async (to: string, attributes: Record<string, unknown> = {}) =>
  (await ask({ direction: 'outbound', to, account_id: ids.account, ...attributes })).data.attributes

test('an inbound call from a listed address, step by step', async () => {
  const { status, data } = await ask({
    direction: 'inbound',
    to: '4155551234',
    from: '9175551234',
    source_ip: '203.0.113.1',
  })
  expect(status).toBe(200)
  expect(data.attributes).toEqual({
    direction: 'inbound',
    to: '4155551234',
    from: '9175551234',
    source_ip: '203.0.113.1',
    steps: [
      {
        looked_at: 'sip_trunk',
        id: ids.trunk,
        name: 'US',
        kept: true,
        reason: 'The source address 203.0.113.1 is in a network of length 32 that this trunk lists.',
      },
      {
        looked_at: 'incoming_phone_number',
        id: ids.incoming,
        name: '+14155551234',
        kept: true,
        reason: 'Dialled on the trunk "US", 4155551234 means +14155551234, an active incoming phone number.',
      },
      { looked_at: 'account', id: ids.account, name: 'A', kept: true, reason: 'The account is enabled.' },
      {
        looked_at: 'channels',
        id: ids.trunk,
        name: 'US',
        kept: true,
        reason: 'The trunk has a channel left.',
      },
    ],
    trunk_id: ids.trunk,
    dial_string: null,
    route: {
      account_id: ids.account,
      incoming_phone_number_id: ids.incoming,
      to: '+14155551234',
      from: '+19175551234',
      voice_url: 'https://a.example.com/v',
    },
    refusal: null,
  })
})

test('the other two ways, and what is refused', async () => {
  expect(await inbound({ gateway_id: ids.gateway, to: '+14155551234' })).toMatchObject({
    trunk_id: ids.gateway,
  })
  expect(await inbound({ username: 'route-test', to: '14155551234' })).toMatchObject({ trunk_id: ids.client })
  expect(await inbound({ source_ip: '203.0.113.2' })).toMatchObject({
    trunk_id: null,
    refusal: { code: 407 },
  })
  expect(await inbound({ username: 'nobody' })).toMatchObject({
    refusal: { code: 407, message: 'No client_credentials trunk has the user name "nobody".' },
  })
  expect(await inbound({ gateway_id: ids.trunk })).toMatchObject({
    refusal: { code: 407, message: `No outbound_registration trunk has the gateway ${ids.trunk}.` },
  })
  expect(await inbound({ source_ip: '203.0.113.1', to: '2125551234' })).toMatchObject({
    trunk_id: ids.trunk,
    route: null,
    refusal: { code: 404 },
  })
  expect(await inbound({ source_ip: '203.0.113.1', to: '4155550000' })).toMatchObject({
    refusal: { code: 404 },
  })
})

test('only the asker’s own trunks and numbers are looked at', async () => {
  const theirs = await inbound({ source_ip: '203.0.113.1', to: '+14155559999' })
  expect(theirs).toMatchObject({ trunk_id: ids.trunk, refusal: { code: 404 } })
  expect(JSON.stringify(theirs)).not.toContain(ids.foreignTrunk)
  expect(await inbound({ gateway_id: ids.gateway }, other)).toMatchObject({ steps: [], trunk_id: null })
  expect(await inbound({ username: 'route-test' }, other)).toMatchObject({ steps: [], trunk_id: null })
  const foreign = await ask({ direction: 'outbound', to: '+442079460000', account_id: ids.foreignAccount })
  expect(problems(foreign)).toEqual(['422 invalid /data/attributes/account_id'])
})

test('an outbound call: the trunk, and what FreeSWITCH would dial', async () => {
  expect(await outbound('+442079460000', { from: '+14155551234' })).toMatchObject({
    trunk_id: ids.gateway,
    dial_string: `sofia/gateway/${ids.gateway}/+442079460000`,
    refusal: null,
    steps: [
      { looked_at: 'account', kept: true },
      { looked_at: 'incoming_phone_number', id: ids.incoming, kept: true },
      { looked_at: 'sip_trunk', id: ids.gateway, kept: true, reason: 'Its route prefix 44 matches.' },
      {
        looked_at: 'sip_trunk',
        id: ids.trunk,
        kept: false,
        reason: 'It has no route prefixes, but it has no outbound_host.',
      },
      { looked_at: 'channels', kept: true },
    ],
  })
  expect(await outbound('+85512345678')).toMatchObject({
    trunk_id: ids.client,
    dial_string: null,
    refusal: { code: 480 },
  })
  expect(await outbound('+33140000000')).toMatchObject({ trunk_id: null, refusal: { code: 13224 } })
  expect(await outbound('SIP:alice@pbx.example.com')).toMatchObject({
    ...{ trunk_id: null, dial_string: 'sofia/nat_gateway/sip:alice@pbx.example.com', refusal: null },
    steps: [{ looked_at: 'account', kept: true }],
  })
  expect(await outbound('sip:a b@x')).toMatchObject({ dial_string: null, refusal: { code: 21211 } })
  expect(await outbound('911x')).toMatchObject({ steps: [], refusal: { code: 21211 } })
  expect(await outbound('+442079460000', { from: '+14155559999' })).toMatchObject({
    refusal: { code: 21210 },
  })
})

test('a full trunk and a disabled account say so', async () => {
  const path = `/sip_trunks/${ids.trunk}`
  await client.patch(path, doc('sip_trunk', { max_channels: 1 }, { id: ids.trunk }))
  await platform.db.insert(phoneCalls).values({
    carrierId: client.carrier.id,
    accountId: ids.account ?? '',
    sipTrunkId: ids.trunk,
    direction: 'inbound',
    status: 'in-progress',
    from: '1',
    to: '2',
  })
  expect(await inbound({ source_ip: '203.0.113.1' })).toMatchObject({ route: null, refusal: { code: 503 } })
  await client.patch(path, doc('sip_trunk', { max_channels: null }, { id: ids.trunk }))
  const account = `/accounts/${ids.account}`
  await client.patch(account, doc('account', { status: 'disabled' }, { id: ids.account }))
  expect(await inbound({ source_ip: '203.0.113.1' })).toMatchObject({ refusal: { code: 403 } })
  expect(await outbound('+442079460000')).toMatchObject({ refusal: { code: 20005 } })
  await client.patch(account, doc('account', { status: 'enabled' }, { id: ids.account }))
})

test('a question must be whole', async () => {
  expect(problems(await ask({}))).toEqual([
    '422 missing /data/attributes/direction',
    '422 missing /data/attributes/to',
  ])
  expect(problems(await ask({ direction: 'inbound', to: '1' }))).toEqual([
    '422 missing /data/attributes/source_ip',
  ])
  const both = { direction: 'inbound', to: '1', username: 'a', source_ip: '1.2.3.4' }
  expect(problems(await ask(both))).toEqual(['422 invalid /data/attributes/source_ip'])
  expect(problems(await ask({ direction: 'outbound', to: '1' }))).toEqual([
    '422 missing /data/attributes/account_id',
  ])
  for (const [name, value] of [
    ['source_ip', '1.2.3'],
    ['gateway_id', 'x'],
  ] as const)
    expect(problems(await ask({ direction: 'inbound', to: '1', [name]: value }))).toEqual([
      `422 invalid /data/attributes/${name}`,
    ])
  expect(problems(await ask({ direction: 'outbound', to: '1', account_id: 'x' }))).toEqual([
    '422 invalid /data/attributes/account_id',
  ])
  const wrong = { direction: 'sideways', to: '', source_ip: '1.2.3', gateway_id: 'x' }
  expect(problems(await ask(wrong))).toEqual([
    '422 not_in_list /data/attributes/direction',
    '422 blank /data/attributes/to',
    '422 invalid /data/attributes/source_ip',
    '422 invalid /data/attributes/gateway_id',
  ])
})

test('nothing is stored, and there is nothing to read', async () => {
  const count = async () =>
    JSON.stringify(
      await platform.db.execute(
        sql`SELECT (SELECT count(*) FROM phone_calls) AS c, (SELECT count(*) FROM error_logs) AS e,
          (SELECT count(*) FROM events) AS v, (SELECT count(*) FROM unidentified_sources) AS u`,
      ),
    )
  const before = await count()
  await inbound({ source_ip: '203.0.113.1' })
  await inbound({ source_ip: '192.0.2.77' })
  await outbound('+442079460000')
  expect(await count()).toBe(before)
  const list = await client.get('/route_tests')
  expect([list.status, list.headers.get('allow')]).toEqual([405, 'POST'])
})

test('another carrier that has the number behind a narrower network makes the call ambiguous, as it is live', async () => {
  const address = { authentication_mode: 'ip_address', region: 'hydrogen' }
  const networks = ['198.51.100.0/24', '198.51.100.7']
  const ask = { to: '+14155557777', source_ip: '198.51.100.7' }
  const own = async (by: Client, account: string | undefined, network: string | undefined) => {
    const name = `Lists ${network}`
    const trunk = await create(by, 'sip_trunk', { ...address, name, inbound_source_ips: [network] })
    await assign(by, account ?? '', '+14155557777', { voice_url: 'https://a.example.com/v' })
    return trunk
  }
  const wide = await own(client, ids.account, networks[0])
  expect(await inbound(ask)).toMatchObject({ trunk_id: wide, refusal: null })
  const narrow = await own(other, ids.foreignAccount, networks[1])
  for (const [by, trunk] of [
    [client, wide],
    [other, narrow],
  ] as const) {
    const answer = await inbound(ask, by)
    expect(answer).toMatchObject({
      trunk_id: trunk,
      route: null,
      refusal: { code: 404, message: expect.stringContaining('trunks of several carriers') },
      steps: [{ id: trunk }, { looked_at: 'incoming_phone_number', kept: true }],
    })
    expect(JSON.stringify(answer)).not.toContain(by === client ? narrow : wide)
  }
})
