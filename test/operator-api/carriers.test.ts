import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiTokens } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { sha256 } from '../../src/secrets.ts'
import { type Client, clientOf, createTestApi, doc, problems } from '../support/api.ts'
import { createTestPlatform, platformOn } from '../support/platform.ts'

const operatorToken = 'operator-token-of-the-tests'
let platform: Platform
let app: ReturnType<typeof createTestApi>
let operator: Client
beforeAll(async () => {
  platform = await createTestPlatform({ OPERATOR_TOKEN: operatorToken })
  app = createTestApi(platform)
  operator = clientOf(app, operatorToken, '/operator/v1')
})
afterAll(() => platform.database.close())

const settings = { name: 'Smart', country_code: 'KH', billing_currency: 'USD' }

test('a new carrier comes with a token that opens the carrier API, shown this once and stored as a hash', async () => {
  const { status, data, headers } = await operator.post('/carriers', doc('carrier', settings))
  expect(status).toBe(201)
  const { api_token: token, ...attributes } = data.attributes
  expect(attributes).toEqual({ ...settings, created_at: expect.any(String), updated_at: expect.any(String) })
  expect((await clientOf(app, String(token), '/carrier/v1').get('/sip_trunks')).status).toBe(200)

  const shown = await operator.get(`/carriers/${data.id}`)
  expect(shown.text).not.toContain(String(token))
  expect((await operator.get('/carriers')).text).not.toContain(String(token))
  const stored = await platform.db.select({ hash: apiTokens.tokenHash }).from(apiTokens)
  expect(stored.map(({ hash }) => hash)).toContain(sha256(String(token)))
  expect(JSON.stringify(await platform.db.select().from(apiTokens))).not.toContain(String(token))

  // The tag of the answer that had the token serves for the next change.
  const etag = headers.get('etag') ?? ''
  const changed = await operator.patch(
    `/carriers/${data.id}`,
    doc('carrier', { name: 'Metfone' }, { id: data.id }),
    { 'If-Match': etag },
  )
  expect([changed.status, changed.data.attributes.name]).toEqual([200, 'Metfone'])
  const late = await operator.patch(
    `/carriers/${data.id}`,
    doc('carrier', { name: 'Late' }, { id: data.id }),
    { 'If-Match': etag },
  )
  expect([late.status, ...problems(late)]).toEqual([412, '412 stale If-Match'])

  const events = await clientOf(app, String(token), '/carrier/v1').get('/events?sort=created_at')
  expect(events.list.map(({ attributes }) => [attributes.type, attributes.api_token_id])).toEqual([
    ['carrier.created', null],
    ['carrier.updated', null],
  ])
  expect(events.text).not.toContain(String(token))
})

test('wrong values are refused all at once', async () => {
  const reply = await operator.post(
    '/carriers',
    doc('carrier', { country_code: 'XX', billing_currency: 'BUCKS' }),
  )
  expect([reply.status, ...problems(reply)]).toEqual([
    422,
    '422 missing /data/attributes/name',
    '422 not_in_list /data/attributes/country_code',
    '422 not_in_list /data/attributes/billing_currency',
  ])
  expect((await operator.remove(`/carriers/${crypto.randomUUID()}`)).status).toBe(405)
})

test('tokens are issued, listed without their text, and revoked', async () => {
  const { data: carrier } = await operator.post('/carriers', doc('carrier', settings))
  const path = `/carriers/${carrier.id}/api_tokens`
  const issued = await operator.post(path, undefined)
  expect([issued.status, issued.data.type]).toEqual([201, 'api_token'])
  const token = String(issued.data.attributes.token)
  const client = clientOf(app, token, '/carrier/v1')
  expect((await client.get('/accounts')).status).toBe(200)

  const { list, text } = await operator.get(path)
  expect(list.length).toBe(2)
  expect(text).not.toContain(token)
  expect((await operator.get(issued.data.links.self)).data.id).toBe(issued.data.id)

  const other = (await operator.post('/carriers', doc('carrier', settings))).data
  expect((await operator.remove(`/carriers/${other.id}/api_tokens/${issued.data.id}`)).status).toBe(404)
  expect((await operator.remove(`${path}/${issued.data.id}`)).status).toBe(204)
  expect((await operator.remove(`${path}/${issued.data.id}`)).status).toBe(404)
  const refused = await client.get('/accounts')
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
    401,
    'Bearer error="invalid_token"',
  ])
})

test('only the operator passes, and without OPERATOR_TOKEN nobody finds anything', async () => {
  expect((await clientOf(app, 'guess', '/operator/v1').get('/carriers')).status).toBe(401)
  const { data } = await operator.post('/carriers', doc('carrier', settings))
  const token = String(data.attributes.api_token)
  expect((await clientOf(app, token, '/operator/v1').get('/carriers')).status).toBe(401)

  const { OPERATOR_TOKEN: _, ...env } = platform.env
  const closed = createTestApi(platformOn(platform.database, env))
  expect((await clientOf(closed, operatorToken, '/operator/v1').get('/carriers')).status).toBe(404)
})
