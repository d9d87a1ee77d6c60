import { afterEach, beforeEach, expect, test } from 'vitest'
import { issueApiToken } from '../../src/accounts/tokens.ts'
import { createApp } from '../../src/app.ts'
import { phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { capturedFetch, post } from '../support/fetches.ts'
import { readableLog } from '../support/log.ts'
import { createTestPlatform, openTestDatabase } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'

let platform: Platform
let tenant: Tenant & { token: string }
let logged: ReturnType<typeof readableLog>

beforeEach(async () => {
  logged = readableLog('trace')
  platform = { ...(await createTestPlatform()), log: logged.log }
  const made = await createTenant(platform)
  const { token } = await issueApiToken(platform.db, made.carrier.id)
  tenant = { ...made, token }
})
afterEach(() => platform.database.close())

const lines = () => logged.lines()
const ask = (path: string, init: RequestInit = {}, which = platform) =>
  createApp(which).publicApp.request(`http://api.localhost:3000${path}`, {
    ...init,
    headers: { host: 'api.localhost:3000', ...init.headers },
  })
const bearer = (token: string) => ({
  authorization: `Bearer ${token}`,
  'content-type': 'application/vnd.api+json',
})

test('each request has one line, under the id that its answer carries', async () => {
  const answer = await ask('/carrier/v1/sip_trunks?page[size]=1&token=in-the-query', {
    headers: bearer(tenant.token),
  })
  expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  expect(lines()).toEqual([
    expect.objectContaining({
      ...{ requestId: answer.headers.get('x-request-id'), msg: 'Request answered' },
      ...{ method: 'GET', path: '/carrier/v1/sip_trunks', status: 400, ms: expect.any(Number) },
    }),
  ])
  const given = await ask('/carrier/v1/sip_trunks', { headers: { 'x-request-id': 'from-the-proxy_1' } })
  expect([given.status, given.headers.get('x-request-id')]).toEqual([401, 'from-the-proxy_1'])
  const forged = await ask('/health', { headers: { 'x-request-id': 'a b"c' } })
  expect(forged.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
})

test('what goes wrong in a request is logged under the same id, without the values of the statement', async () => {
  const gone = await openTestDatabase()
  await gone.close()
  const answer = await ask(
    '/carrier/v1/sip_trunks',
    { headers: bearer('a-carrier-token') },
    {
      ...platform,
      ...{ db: gone.db, database: gone },
    },
  )
  expect(answer.status).toBeGreaterThanOrEqual(500)
  const id = answer.headers.get('x-request-id')
  expect(lines().map(({ requestId }) => requestId)).toEqual(lines().map(() => id))
})

test('an error of the database is logged without the values of its statement', () => {
  const cause = Object.assign(new Error('duplicate key value'), {
    ...{ code: '23505', constraint_name: 'one_of_each', detail: 'Key (token)=(hidden-1) already exists.' },
  })
  const params = ['hidden-2', 'with\n    at a line of its own hidden-3']
  const error = new Error(`Failed query: insert into t values ($1, $2)\nparams: ${params}`, { cause })
  platform.log.error({ err: Object.assign(error, { query: 'insert', params }) }, 'It failed')
  expect(logged.written()).not.toContain('hidden')
  expect(lines()[0]?.err).toMatchObject({
    message: 'Failed query: insert into t values ($1, $2)',
    stack: expect.stringMatching(/^ {4}at .*log\.test/),
    cause: { message: 'duplicate key value', code: '23505', constraint: 'one_of_each' },
  })
})

test('a fetch is logged with the call that it is about', async () => {
  await createTrunk(platform, tenant, { sourceIps: ['192.0.2.10'] })
  await assignNumber(platform, tenant, '14155551234', { sipDomain: 'sip.example.com' })
  const { switchApp } = createApp(platform)
  const body = capturedFetch('dialplan-inbound-source-ip', {
    ...{ variable_sip_network_ip: '192.0.2.10', 'Hunt-Network-Addr': '192.0.2.10' },
    'Hunt-Destination-Number': '+14155551234',
  })
  await post(switchApp, '/freeswitch/xml', body)
  const [call] = await platform.db.select({ id: phoneCalls.id }).from(phoneCalls)
  expect(lines().at(-1)).toMatchObject({ path: '/freeswitch/xml', status: 200, callId: call?.id })
})

test('no secret is in the log, whatever is asked and however it ends', async () => {
  const secrets = ['the-sip-password', 'the-query-token', 'TheFileKey0123456789abcdefghijkl', tenant.token]
  const body = (attributes: object) => JSON.stringify({ data: { type: 'sip_trunk', attributes } })
  const attributes = {
    ...{ name: 'T', authentication_mode: 'outbound_registration', region: 'hydrogen' },
    ...{ username: 'u', password: secrets[0], outbound_host: 'pbx.example.com' },
  }
  const made = await ask('/carrier/v1/sip_trunks', {
    ...{ method: 'POST', headers: bearer(tenant.token), body: body(attributes) },
  })
  expect(made.status).toBe(201)
  await ask('/carrier/v1/sip_trunks', { method: 'POST', headers: bearer('wrong'), body: body(attributes) })
  await ask(`/carrier/v1/accounts?access_token=${secrets[1]}`)
  const { switchApp } = createApp(platform)
  await switchApp.request(`/freeswitch/audio/${secrets[2]}.wav?x=${secrets[1]}`)
  await switchApp.request(`/freeswitch/recordings/${secrets[2]}.wav`, { method: 'PUT', body: 'RIFF' })
  const { id } = ((await made.json()) as { data: { id: string } }).data
  await post(switchApp, '/freeswitch/xml', capturedFetch('configuration-sofia-startgw', { gateway: id }))
  await platform.database.close()
  await ask('/carrier/v1/sip_trunks', { headers: bearer(tenant.token) })
  await post(switchApp, '/freeswitch/xml', capturedFetch('configuration-sofia-startgw', { gateway: id }))
  await switchApp.request(`/freeswitch/audio/${secrets[2]}.wav`)
  expect(lines().length).toBeGreaterThan(8)
  for (const secret of secrets) expect(logged.written()).not.toContain(secret)
  platform = await createTestPlatform()
})
