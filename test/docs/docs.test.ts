import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { insertAccount } from '../../src/accounts/queries.ts'
import { errorLogs, phoneCalls, webhookRequests } from '../../src/db/schema.ts'
import { docs } from '../../src/docs/index.ts'
import type { Platform } from '../../src/platform.ts'
import {
  type Client,
  clientOf,
  createClient,
  createTestApi,
  type Reply,
  type Resource,
} from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'

type Operation = {
  operationId: string
  requestBody?: { content: Record<string, { example: { data: Resource } }> }
  responses: Record<string, unknown>
}
type OpenApi = { openapi: string; paths: Record<string, Record<string, Operation>> }

const operatorToken = 'operator-token-of-the-tests'
let platform: Platform
let document: OpenApi
let carrierId: string
const clients: Record<string, Client> = {}
const ajv = new Ajv2020({ strict: false })
addFormats.default(ajv)

beforeAll(async () => {
  platform = await createTestPlatform({ OPERATOR_TOKEN: operatorToken })
  const app = createTestApi(platform)
  const carrier = await createClient(platform, app)
  clients.carrier = carrier
  clients.operator = clientOf(app, operatorToken, '/operator/v1')
  const text = await (await docs(platform).request('/openapi.json')).text()
  document = JSON.parse(text)
  ajv.addSchema(JSON.parse(text), 'openapi')
  carrierId = carrier.carrier.id
})
afterAll(() => platform.database.close())

test('/openapi.json is valid OpenAPI 3.1 by an independent validator', async () => {
  expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true })
  expect(document.openapi).toBe('3.1.0')
})

test('/docs has everything from this server', async () => {
  const root = await docs(platform).request('/')
  expect([root.status, root.headers.get('location')]).toEqual([302, '/docs'])
  const page = await (await docs(platform).request('/docs')).text()
  const sources = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '')
  expect(sources).toHaveLength(4)
  for (const source of sources) {
    expect(source).toMatch(/^\/docs\//)
    expect([source, (await docs(platform).request(source)).status]).toEqual([source, 200])
  }
})

describe('the example of each operation is a request that the server takes, and its answer is as described', () => {
  // Ids of what the examples before have made, by path.
  const made: Record<string, string> = {}

  test('there is an example for every document that is sent', () => {
    const bodies = operations().flatMap(({ operation }) =>
      Object.values(operation.requestBody?.content ?? {}),
    )
    expect(bodies.length).toBeGreaterThan(10)
    expect(bodies.filter(({ example }) => example?.data.attributes === undefined)).toEqual([])
  })

  test.each(['create', 'list', 'show', 'update', 'remove'])('%s', async (verb) => {
    if (verb === 'list') await storeRecords()
    const all = operations().filter(({ operation }) => operation.operationId.startsWith(`${verb}_`))
    for (const { method, path, operation } of verb === 'remove' ? all.reverse() : all) {
      const reply = await send(method, path, operation)
      const [success = ''] = Object.keys(operation.responses)
      expect([method, path, reply.status, reply.errors]).toEqual([method, path, Number(success), []])
      if (verb === 'create') made[path] = reply.data.id
      if (verb === 'list') made[path] ??= reply.list[0]?.id ?? ''
      if (verb !== 'remove') expectDescribed(method, path, success, reply)
    }
  })

  function operations() {
    return Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([method]) => method !== 'parameters')
        .map(([method, operation]) => ({ method, path, operation })),
    )
  }

  function send(method: string, path: string, operation: Operation): Promise<Reply> {
    const [, api = '', rest = ''] = /^\/(carrier|operator)\/v1(.*)$/.exec(path) ?? []
    const client = clients[api]
    if (client === undefined) throw new Error(`No client for ${path}.`)
    const ids = [...rest.matchAll(/\{[a-z_]+\}/g)].length
    const own = made[path.replace(/\/\{[a-z_]+\}$/, '')] ?? ''
    const url = rest
      .replace('{token_id}', own)
      .replace('{id}', ids === 2 || rest.includes('api_tokens') ? (made['/operator/v1/carriers'] ?? '') : own)
    const [content] = Object.values(operation.requestBody?.content ?? {})
    const sent = content && withMadeIds(content.example, own)
    if (method === 'get') return client.get(url)
    if (method === 'delete') return client.remove(url)
    return method === 'post' ? client.post(url, sent) : client.patch(url, sent)
  }

  // The ids of an example are nobody's: those that the tests have made take their places.
  function withMadeIds({ data }: { data: Resource }, own: string) {
    const relationships = Object.entries(data.relationships ?? {}).map(([name, { data: link }]) => [
      name,
      { data: { ...link, id: made[`/carrier/v1/${link?.type}s`] } },
    ])
    return {
      data: {
        ...data,
        ...(data.id !== undefined && { id: own }),
        ...(data.relationships && { relationships: Object.fromEntries(relationships) }),
      },
    }
  }

  function expectDescribed(method: string, path: string, status: string, reply: Reply) {
    const pointer = [
      'paths',
      path,
      method,
      'responses',
      status,
      'content',
      'application/vnd.api+json',
      'schema',
    ]
      .map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'))
      .join('/')
    const validate = ajv.getSchema(`openapi#/${pointer}`)
    if (validate === undefined) throw new Error(`No schema at ${pointer}.`)
    validate(JSON.parse(reply.text))
    expect([method, path, validate.errors]).toEqual([method, path, null])
  }

  async function storeRecords() {
    const account = await insertAccount(platform.db, platform.keys, { carrierId, name: 'Caller' })
    const accountId = account.id
    const call = { carrierId, accountId, from: '+14155551234', to: 'anonymous' } as const
    const [stored] = await platform.db
      .insert(phoneCalls)
      .values({ ...call, direction: 'inbound', status: 'ringing' })
      .returning()
    await platform.db.insert(webhookRequests).values({
      ...{ carrierId, accountId, callId: stored?.id ?? '', step: 1 },
      ...{ state: 'pending', method: 'POST', url: 'https://app.example.com/voice' },
    })
    await platform.db.insert(errorLogs).values({ carrierId, accountId, type: 'test', message: 'A test.' })
  }
})
