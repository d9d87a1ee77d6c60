import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertAccount } from '../../src/accounts/queries.ts'
import { authTokenOf } from '../../src/accounts/tokens.ts'
import { openPostgres } from '../../src/db/connect.ts'
import type { Platform } from '../../src/platform.ts'
import { clientOf, createClient, createTestApi, doc, problems, type Reply, read } from '../support/api.ts'
import { createTestPlatform, platformOn } from '../support/platform.ts'

let platform: Platform
let app: ReturnType<typeof createTestApi>
let client: Awaited<ReturnType<typeof createClient>>
beforeAll(async () => {
  platform = await createTestPlatform()
  app = createTestApi(platform)
  client = await createClient(platform, app)
})
afterAll(() => platform.database.close())

const path = '/carrier/v1/sip_trunks'
const ask = async (headers: Record<string, string>, host = 'api.localhost:3000', method = 'GET') =>
  app.fetch(new Request(`http://${host}${path}`, { method, headers }))
const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`

test('a token opens as Bearer, in any case of the scheme, and as the password of Basic', async () => {
  for (const authorization of [
    `Bearer ${client.token}`,
    `bearer ${client.token}`,
    basic(`:${client.token}`),
    basic(`anybody:${client.token}`),
  ])
    expect((await ask({ Authorization: authorization })).status).toBe(200)
})

test('nothing else opens, and the answer says how', async () => {
  const account = await insertAccount(platform.db, platform.keys, { carrierId: client.carrier.id, name: 'A' })
  const wrong = [
    `Bearer ${client.token}x`,
    `Bearer ${authTokenOf(platform.keys, account)}`,
    basic(`${client.token}:`),
    basic(client.token),
    basic(`${account.id}:${authTokenOf(platform.keys, account)}`),
    'Basic %%%',
    `Digest ${client.token}`,
    client.token,
    'Bearer \u00ff',
    '',
  ]
  for (const authorization of wrong) {
    const response = await ask({ Authorization: authorization })
    expect([authorization, response.status, response.headers.get('www-authenticate')]).toEqual([
      authorization,
      401,
      expect.stringMatching(/^Bearer/),
    ])
    expect(problems(await read(response))).toEqual(['401 unauthorized'])
  }
  expect((await ask({})).headers.get('www-authenticate')).toBe('Bearer')
  const unknownPath = await app.fetch(new Request('http://api.localhost/carrier/v1/nothing'))
  expect(unknownPath.status).toBe(401)
})

test('the first label of the host must be API_SUBDOMAIN', async () => {
  const headers = { Authorization: `Bearer ${client.token}` }
  for (const host of ['api.localhost', 'API.somleng.dev', 'api.example.com:8443', 'api'])
    expect([host, (await ask(headers, host)).status]).toEqual([host, 200])
  for (const host of ['localhost:3000', 'app.localhost', 'xapi.localhost', '127.0.0.1', 'www.api.localhost'])
    expect([host, (await ask(headers, host)).status]).toEqual([host, 404])
  expect((await ask({ ...headers, Host: 'evil.example.com' }, 'api.localhost')).status).toBe(404)
})

test('an entity tag guards a change, and saves an answer that is known', async () => {
  const trunk = { name: 'T', authentication_mode: 'client_credentials', region: 'hydrogen' }
  const created = await client.post('/sip_trunks', doc('sip_trunk', trunk))
  const own = `/sip_trunks/${created.data.id}`
  const change = (name: string, ifMatch: string) =>
    client.patch(own, doc('sip_trunk', { name }, { id: created.data.id }), { 'If-Match': ifMatch })
  const tagOf = ({ headers }: Reply) => headers.get('etag') ?? ''

  const sparse = await client.get(`${own}?fields[sip_trunk]=name`)
  const first = await change('First', tagOf(sparse))
  expect(first.status).toBe(200)
  expect((await change('Second', tagOf(sparse))).status).toBe(412)
  expect((await client.get(own)).data.attributes.name).toBe('First')
  expect((await change('Third', `"other", ${tagOf(first)}`)).status).toBe(200)
  expect((await change('Fourth', '*')).status).toBe(200)
  expect((await change('Fifth', 'W/"weak"')).status).toBe(412)

  const known = tagOf(await client.get(own))
  const again = await client.get(own, { 'If-None-Match': known })
  expect([again.status, again.text, tagOf(again)]).toEqual([304, '', known])
  expect((await client.get(own, { 'If-None-Match': tagOf(first) })).status).toBe(200)
  expect((await client.get(own, { 'If-None-Match': '*' })).status).toBe(304)
  const head = await app.request(`http://api.localhost/carrier/v1${own}`, {
    method: 'HEAD',
    headers: { Authorization: `Bearer ${client.token}`, 'If-None-Match': known },
  })
  expect([head.status, head.headers.get('etag')]).toEqual([304, known])

  expect((await client.remove(own, { 'If-Match': tagOf(first) })).status).toBe(412)
  expect((await client.remove(own, { 'If-Match': known })).status).toBe(204)
})

test('of two that change the same state at once, one is told', async () => {
  const { data, headers } = await client.post('/accounts', doc('account', { name: 'A' }))
  const replies = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      client.patch(`/accounts/${data.id}`, doc('account', { name: `N${index}` }, { id: data.id }), {
        'If-Match': headers.get('etag') ?? '',
      }),
    ),
  )
  expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(412)])
})

test('too large, too deep and no text at all are refused in words', async () => {
  const big = await client.post('/accounts', doc('account', { name: 'x'.repeat(1024 * 1024) }))
  expect([big.status, ...problems(big)]).toEqual([413, '413 too_large'])
  const deep = await client.post('/accounts', `{"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)
  expect([deep.status, ...problems(deep)]).toEqual([400, '400 malformed'])
  const response = await app.fetch(
    new Request('http://api.localhost/carrier/v1/accounts', {
      method: 'POST',
      headers: { Authorization: `Bearer ${client.token}`, 'Content-Type': 'application/json' },
      body: new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]),
    }),
  )
  expect(response.status).toBe(400)
})

test('without its database the API says so, and when to come again', async () => {
  const away = openPostgres('postgres://nobody@127.0.0.1:1/nothing')
  const reply = await clientOf(createTestApi(platformOn(away, platform.env)), 'x', '/carrier/v1').get(
    '/accounts',
  )
  expect([reply.status, reply.headers.get('retry-after'), ...problems(reply)]).toEqual([
    503,
    '5',
    '503 unavailable',
  ])
  await away.close()
})
