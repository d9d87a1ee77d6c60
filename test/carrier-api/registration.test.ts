import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gatewayStates, registrations, switches } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { type Client, createClient, createTestApi, doc, problems } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'

let platform: Platform
let app: Hono
let client: Client
const switchId = '127.0.0.1:8021'
const at = new Date('2026-03-04T05:06:07.000Z')

beforeAll(async () => {
  platform = await createTestPlatform()
  app = createTestApi(platform)
  client = await createClient(platform, app)
  await platform.db.insert(switches).values({
    id: switchId,
    region: 'hydrogen',
    name: 's1',
    state: 'up',
    holder: crypto.randomUUID(),
    seenAt: new Date(),
  })
})
afterAll(() => platform.database.close())

async function create(attributes: Record<string, unknown>) {
  const { data } = await client.post(
    '/sip_trunks',
    doc('sip_trunk', { name: 'Trunk', region: 'hydrogen', ...attributes }),
  )
  return data
}

const registering = {
  authentication_mode: 'outbound_registration',
  username: 'u',
  password: 'p',
  outbound_host: 'pbx.example.com',
}

test('a trunk that registers shows what its switch says, alone and in the list', async () => {
  const trunk = await create(registering)
  const blank = { sip_code: null, reason: null, since: null, next_retry_at: null, expires_at: null }
  expect(trunk.meta).toMatchObject({
    registration: { state: 'starting', ...blank, running_version: null, saved_version: 1 },
  })
  await platform.db.insert(gatewayStates).values({
    trunkId: trunk.id,
    switchId,
    state: 'failed',
    sipCode: 403,
    reason: 'Forbidden',
    runningVersion: 1,
    since: at,
    nextTryAt: at,
  })
  const registration = {
    state: 'failed',
    sip_code: 403,
    reason: 'Forbidden',
    since: '2026-03-04T05:06:07.000Z',
    next_retry_at: '2026-03-04T05:06:07.000Z',
    expires_at: null,
    running_version: 1,
    saved_version: 1,
  }
  expect((await client.get(`/sip_trunks/${trunk.id}`)).data.meta).toMatchObject({ registration })
  const { list } = await client.get('/sip_trunks')
  expect(list.find(({ id }) => id === trunk.id)?.meta).toMatchObject({ registration })
  const changed = await client.patch(
    `/sip_trunks/${trunk.id}`,
    doc('sip_trunk', { password: 'new' }, { id: trunk.id }),
  )
  expect(changed.data.meta).toMatchObject({ registration: { running_version: 1, saved_version: 2 } })
})

test('a state that changes is no change of the resource', async () => {
  const trunk = await create(registering)
  const tag = (await client.get(`/sip_trunks/${trunk.id}`)).headers.get('etag') ?? ''
  await platform.db.insert(gatewayStates).values({ trunkId: trunk.id, switchId, state: 'registered' })
  const saved = await client.patch(
    `/sip_trunks/${trunk.id}`,
    doc('sip_trunk', { name: 'New' }, { id: trunk.id }),
    {
      'if-match': tag,
    },
  )
  expect(saved.status).toBe(200)
})

test('while nothing is known, that is what is said', async () => {
  const trunk = await create({ ...registering, region: 'helium' })
  expect(trunk.meta).toMatchObject({
    registration: { state: 'no_switch', reason: 'No switch of the region is up.' },
  })
  const other = await create(registering)
  await platform.db
    .insert(gatewayStates)
    .values({ trunkId: other.id, switchId: '10.0.0.1:8021', state: 'registered' })
  expect((await client.get(`/sip_trunks/${other.id}`)).data.meta).toMatchObject({
    registration: { state: 'unknown', reason: 'Its switch is not reached.' },
  })
})

test('a client shows where it is registered, and from what', async () => {
  const trunk = await create({ authentication_mode: 'client_credentials' })
  expect(trunk.meta).toMatchObject({ registration: { state: 'unregistered', contacts: [] } })
  const expiresAt = new Date(Date.now() + 60_000)
  const row = {
    trunkId: trunk.id,
    mark: 'm',
    username: 'u',
    switchId,
    contact: '<sip:u@192.0.2.1>',
    userAgent: 'Phone',
  }
  await platform.db.insert(registrations).values({
    ...row,
    registrationId: 'a',
    networkIp: '192.0.2.1',
    networkPort: 5060,
    expiresAt,
    createdAt: at,
  })
  await platform.db.insert(registrations).values({ ...row, registrationId: 'b', expiresAt: at })
  expect((await client.get(`/sip_trunks/${trunk.id}`)).data.meta).toMatchObject({
    registration: {
      state: 'registered',
      contacts: [
        {
          contact: '<sip:u@192.0.2.1>',
          user_agent: 'Phone',
          network_ip: '192.0.2.1',
          network_port: 5060,
          since: '2026-03-04T05:06:07.000Z',
          expires_at: expiresAt.toISOString(),
        },
      ],
    },
  })
  await platform.db
    .update(registrations)
    .set({ switchId: 'gone' })
    .where(eq(registrations.registrationId, 'a'))
  expect((await client.get(`/sip_trunks/${trunk.id}`)).data.meta).toMatchObject({
    registration: { state: 'unknown' },
  })
})

test('a trunk told by its address has no registration', async () => {
  const trunk = await create({ authentication_mode: 'ip_address', inbound_source_ips: ['192.0.2.200'] })
  expect(trunk.meta).toBeUndefined()
})

test('a password that FreeSWITCH cannot log in with is refused where it would have to', async () => {
  const attributes = { name: 'Trunk', region: 'hydrogen', ...registering, password: 'with:colon' }
  const refused = await client.post('/sip_trunks', doc('sip_trunk', attributes))
  expect(problems(refused)).toEqual(['422 unusable /data/attributes/password'])
  const own = {
    name: 'Trunk',
    region: 'hydrogen',
    authentication_mode: 'client_credentials',
    password: 'with:colon',
  }
  expect((await client.post('/sip_trunks', doc('sip_trunk', own))).status).toBe(201)
})
