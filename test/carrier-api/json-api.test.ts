import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Platform } from '../../src/platform.ts'
import { type Client, createClient, createTestApi, doc, problems, type Reply } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'
import { documentChecks } from './json-api-document.ts'

// Every MUST of JSON:API 1.1 by the id that the standard gives it in its machine-readable statements
// (json-api/json-api, _format/1.1/normative-statements.json): checked here, or left out with the reason.

const statements = readFileSync(new URL('./json-api-must.txt', import.meta.url), 'utf8')
  .trim()
  .split(/\s+/)
const jsonApi = 'application/vnd.api+json'
let platform: Platform
let client: Client
let unwatched: Client
let other: Client
let trunk: Reply
let account: Reply
let incoming: Reply
const answers: Reply[] = []

beforeAll(async () => {
  platform = await createTestPlatform()
  const app = createTestApi(platform)
  unwatched = await createClient(platform, app)
  client = watched(unwatched)
  other = await createClient(platform, app)
  trunk = await client.post('/sip_trunks', doc('sip_trunk', trunkAttributes))
  account = await client.post(
    '/accounts',
    doc('account', { name: 'A', sip_trunk_id: trunk.data.id, metadata: { a: { b: 1 } } }),
  )
  const number = await client.post('/phone_numbers', doc('phone_number', { number: '+14155551234' }))
  const relationships = { account: to(account), phone_number: to(number) }
  incoming = await client.post('/incoming_phone_numbers', doc('incoming_phone_number', {}, { relationships }))
  await client.post('/rates', doc('rate', { direction: 'inbound', prefix: '', price_per_minute: '1' }))
})
afterAll(() => platform.database.close())

const trunkAttributes = { name: 'T', authentication_mode: 'client_credentials', region: 'hydrogen' }
const to = ({ data }: Reply) => ({ data: { type: data.type, id: data.id } })
const trunkPath = () => `/sip_trunks/${trunk.data.id}`
const accountPath = () => `/accounts/${account.data.id}`
const incomingPath = () => `/incoming_phone_numbers/${incoming.data.id}`
const patchAccount = (attributes: Record<string, unknown>, rest = {}) =>
  client.patch(accountPath(), doc('account', attributes, { id: account.data.id, ...rest }))
const nobody = crypto.randomUUID()

// Keeps every answer, so that the rules for documents are checked on all of them.
function watched(plain: Client): Client {
  const keep =
    <Arguments extends unknown[]>(send: (...given: Arguments) => Promise<Reply>) =>
    async (...given: Arguments) => {
      const reply = await send(...given)
      answers.push(reply)
      return reply
    }
  return {
    ...plain,
    get: keep(plain.get),
    post: keep(plain.post),
    patch: keep(plain.patch),
    remove: keep(plain.remove),
  }
}

const checks: Record<string, () => Promise<void>> = {
  'response-content-type': async () => {
    for (const path of ['/accounts', accountPath(), `/accounts/${nobody}`, '/nothing', '/accounts?sort=x'])
      expect((await client.get(path)).headers.get('content-type')).toBe(jsonApi)
  },
  'response-unsupported-media-type': async () => {
    const types = [
      'charset=utf-8',
      'x=y',
      'q=1',
      'q=1; charset=utf-8',
      'profile="https://a.example/b"; q=0.5',
      'profile="https://a.example/b";v=1',
      'ext="https://jsonapi.org/ext/atomic"',
    ]
    for (const parameter of types) {
      const header = { 'Content-Type': `${jsonApi}; ${parameter}` }
      expect((await client.post('/accounts', doc('account', { name: 'A' }), header)).status).toBe(415)
      expect((await client.get('/accounts', header)).status).toBe(415)
    }
    for (const fine of [
      `${jsonApi};profile="https://a.example/b,c;d"`,
      'application/json; charset=utf-8',
      jsonApi.toUpperCase(),
    ]) {
      const reply = await client.post('/accounts', doc('account', { name: 'A' }), { 'Content-Type': fine })
      expect([fine, reply.status]).toEqual([fine, 201])
    }
    for (const none of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
      expect(
        (await client.post('/accounts', doc('account', { name: 'A' }), { 'Content-Type': none })).status,
      ).toBe(415)
  },
  'response-not-acceptable': async () => {
    const refused = [
      `${jsonApi}; charset=utf-8`,
      `${jsonApi};a=b, ${jsonApi};ext="https://e.example"`,
      `text/html, ${jsonApi};a=b;q=0.5`,
    ]
    for (const accept of refused)
      expect([accept, (await client.get('/accounts', { Accept: accept })).status]).toEqual([accept, 406])
    const fine = [
      '*/*',
      'application/json',
      'text/html',
      `${jsonApi};a=b, ${jsonApi}`,
      `${jsonApi};q=0.9`,
      `${jsonApi};q=0.9;charset=utf-8`,
      `${jsonApi};profile="https://p.example/,;"`,
    ]
    for (const accept of fine)
      expect([accept, (await client.get('/accounts', { Accept: accept })).status]).toEqual([accept, 200])
  },
  'ignore-additional-members': async () => {
    const document = {
      ...doc('account', { name: 'Extra' }, { color: 'red', links: { x: 'y' } }),
      sender: 'me',
    }
    const reply = await client.post('/accounts', document)
    expect([reply.status, reply.data.attributes.name]).toEqual([201, 'Extra'])
  },
  'logical-collection': async () => {
    expect((await client.get('/rates')).list.length).toBe(1)
    expect((await client.get('/rates?filter[prefix]=999')).text).toContain('"data":[]')
  },
  'resource-unique': async () => {
    const { list } = await client.get('/accounts')
    expect(new Set(list.map(({ id }) => id)).size).toBe(list.length)
  },
  'resource-link-response': async () => {
    for (const { data } of [trunk, account, incoming]) {
      const reply = await client.get(data.links.self)
      expect([reply.status, reply.data.id, reply.data.type]).toEqual([200, data.id, data.type])
    }
  },
  'member-name-case': async () => {
    expect(problems(await patchAccount({ Name: 'B' }))).toEqual(['422 unknown /data/attributes/Name'])
    expect((await client.get('/accounts?filter[Status]=enabled')).status).toBe(400)
  },
  'member-name-at-members-no-process': async () => {
    const at = { '@context': { name: 'x' } }
    const reply = await patchAccount({ name: 'At', ...at }, { ...at, relationships: at })
    expect([reply.status, reply.data.attributes.name, reply.text.includes('@context')]).toEqual([
      200,
      'At',
      false,
    ])
  },
  'fetch-url-support': async () => {
    const pages = await client.get('/accounts?page[size]=1')
    for (const url of [pages.links.self, pages.links.first, pages.links.next, pages.list[0]?.links.self])
      expect((await client.get(String(url))).status).toBe(200)
  },
  'fetch-response-code': async () => {
    expect([(await client.get('/accounts')).status, (await client.get(accountPath())).status]).toEqual([
      200, 200,
    ])
  },
  'fetch-primary-data-collection': async () => {
    expect(JSON.parse((await client.get('/phone_calls')).text).data).toEqual([])
  },
  'fetch-primary-data-single': async () => {
    expect((await client.get(accountPath())).data).toMatchObject({ type: 'account', id: account.data.id })
  },
  'fetch-responses-404': async () => {
    const foreign = await other.post('/sip_trunks', doc('sip_trunk', trunkAttributes))
    for (const id of [nobody, foreign.data.id, 'x', '%00', account.data.id])
      expect([id, (await client.get(`/sip_trunks/${id}`)).status]).toEqual([id, 404])
  },
  'inclusion-unrequested': async () => {
    const of = async (include: string) => {
      const reply = await client.get(`${incomingPath()}?include=${include}`)
      return reply.included?.map(({ type }) => type)
    }
    expect(await of('account')).toEqual(['account'])
    expect(await of('account,phone_number')).toEqual(['account', 'phone_number'])
    expect(await of('account.sip_trunk,phone_number')).toEqual(['account', 'sip_trunk', 'phone_number'])
    expect(await of('')).toBeUndefined()
  },
  'inclusion-include-parameter-value': async () => {
    const list = await client.get('/incoming_phone_numbers?include=account.sip_trunk')
    expect(list.included?.map(({ type }) => type)).toEqual(['account', 'sip_trunk'])
    const written = await client.patch(
      `${accountPath()}?include=sip_trunk`,
      doc('account', {}, { id: account.data.id }),
    )
    expect(written.included?.map(({ id }) => id)).toEqual([trunk.data.id])
  },
  'inclusion-bad-request': async () => {
    for (const path of [
      'owner',
      'account.owner',
      'account.',
      '.',
      'account,,x',
      'toString',
      'account.sip_trunk.x',
    ]) {
      const reply = await client.get(`${incomingPath()}?include=${path}`)
      expect([path, reply.status, reply.errors[0]?.source]).toEqual([path, 400, { parameter: 'include' }])
    }
  },
  'sparse-fieldsets-parameter-value': async () => {
    const { data } = await client.get(`${accountPath()}?fields[account]=name,sip_trunk`)
    expect([Object.keys(data.attributes), Object.keys(data.relationships ?? {})]).toEqual([
      ['name'],
      ['sip_trunk'],
    ])
    for (const query of [
      'fields[account]=nme',
      'fields[person]=name',
      'fields[account]=name,',
      'fields=name',
    ])
      expect([query, (await client.get(`${accountPath()}?${query}`)).status]).toEqual([query, 400])
  },
  'sparse-fieldsets-additional-fields': async () => {
    // Without full linkage, as the standard allows where fields are cut: so it is not among the documents below.
    const reply = await unwatched.get(
      `${incomingPath()}?include=account&fields[account]=name&fields[incoming_phone_number]=`,
    )
    expect([reply.data.attributes, reply.data.relationships]).toEqual([{}, {}])
    expect(reply.included?.map(({ attributes }) => Object.keys(attributes))).toEqual([['name']])
  },
  'sorting-parameter-value': async () => {
    expect((await client.get('/sip_trunks?sort=name')).status).toBe(200)
  },
  'sorting-multiple-fields': async () => {
    const sorted = await sortedNames('name,-created_at')
    expect(sorted.names).toEqual(['s1', 's1', 's2', 's2'])
    expect(sorted.ids).toEqual(['b', 'a', 'd', 'c'])
  },
  'sorting-order': async () => {
    expect((await sortedNames('name,created_at')).ids).toEqual(['a', 'b', 'c', 'd'])
    expect((await sortedNames('-name,created_at')).ids).toEqual(['c', 'd', 'a', 'b'])
  },
  'sorting-not-supported': async () => {
    for (const sort of ['color', 'password', '', '-', 'name,color', 'constructor']) {
      const reply = await client.get(`/sip_trunks?sort=${sort}`)
      expect([sort, reply.status, reply.errors[0]?.source]).toEqual([sort, 400, { parameter: 'sort' }])
    }
    expect((await client.get(`${trunkPath()}?sort=name`)).status).toBe(400)
  },
  'sorting-specified-order': async () => {
    const { list } = await client.get('/accounts?sort=updated_at')
    const times = list.map(({ attributes }) => String(attributes.updated_at))
    expect(times).toEqual([...times].sort())
  },
  'pagination-keys': async () => {
    const first = await client.get('/accounts?page[size]=2&sort=name')
    const second = await client.get(String(first.links.next))
    const back = await client.get(String(second.links.prev))
    expect(Object.keys(first.links).sort()).toEqual(['first', 'next', 'prev', 'self'])
    expect(back.list).toEqual(first.list)
    expect((await client.get(String(second.links.first))).list).toEqual(first.list)
  },
  'pagination-unavailable-link': async () => {
    const { links } = await client.get('/accounts')
    expect([links.prev, links.next]).toEqual([null, null])
  },
  'crud-atomic': async () => {
    const { data } = await client.get(trunkPath())
    const wrong = { name: 'New', outbound_route_prefixes: ['1', 'x'], inbound_source_ips: ['1.2.3.4'] }
    expect((await client.patch(trunkPath(), doc('sip_trunk', wrong, { id: trunk.data.id }))).status).toBe(422)
    expect((await client.get(trunkPath())).data).toEqual(data)
  },
  'create-single-resource': async () => {
    for (const document of [
      {},
      { data: null },
      { data: [] },
      { data: [{ type: 'account' }] },
      { data: 'x' },
      [],
      'null',
      '"x"',
      '',
      '{',
      '{"data":',
    ])
      expect([document, (await client.post('/accounts', document)).status]).toEqual([document, 400])
  },
  'create-type-member': async () => {
    const reply = await client.post('/accounts', { data: { attributes: { name: 'A' } } })
    expect([reply.status, ...problems(reply)]).toEqual([400, '400 malformed /data'])
    expect(problems(await client.post('/accounts', { data: { type: 7 } }))).toEqual([
      '400 malformed /data/type',
    ])
  },
  'create-relationships-member': async () => {
    for (const relationship of [
      {},
      null,
      [],
      { links: {} },
      { data: 'x' },
      { data: [] },
      { data: { id: nobody } },
    ]) {
      const relationships = { sip_trunk: relationship }
      const reply = await client.post('/accounts', doc('account', { name: 'A' }, { relationships }))
      expect([relationship, reply.status]).toEqual([relationship, 400])
    }
  },
  'create-client-generated-ids-forbidden': async () => {
    const reply = await client.post('/accounts', doc('account', { name: 'A' }, { id: nobody }))
    expect([reply.status, ...problems(reply)]).toEqual([403, '403 client_generated_id /data/id'])
  },
  'create-responses-201-status': async () => {
    expect(trunk.status).toBe(201)
  },
  'create-responses-201-document': async () => {
    expect(trunk.data.attributes).toMatchObject({ name: 'T', authentication_mode: 'client_credentials' })
  },
  'create-responses-201-self': async () => {
    for (const { headers, data, links } of [trunk, account, incoming])
      expect([headers.get('location'), links.self]).toEqual([data.links.self, data.links.self])
  },
  'create-responses-409-bad-type': async () => {
    const reply = await client.post('/accounts', doc('sip_trunk', trunkAttributes))
    expect([reply.status, ...problems(reply)]).toEqual([409, '409 conflict /data/type'])
  },
  'update-patch-resource': async () => {
    expect((await client.patch(accountPath(), { data: [] })).status).toBe(400)
    expect((await client.patch(accountPath(), { data: null })).status).toBe(400)
  },
  'update-patch-resource-members': async () => {
    expect((await client.patch(accountPath(), doc('account', { name: 'B' }))).status).toBe(400)
    expect((await client.patch(accountPath(), { data: { id: account.data.id } })).status).toBe(400)
  },
  'update-interpret-resource-attributes': async () => {
    const before = (await client.get(accountPath())).data.attributes
    const { data } = await patchAccount({ name: 'Only the name' })
    expect(data.attributes).toEqual({
      ...before,
      name: 'Only the name',
      updated_at: data.attributes.updated_at,
    })
  },
  'update-interpret-resource-relationships': async () => {
    expect((await patchAccount({ name: 'B' })).data.relationships).toEqual({ sip_trunk: to(trunk) })
  },
  'update-resource-relationship-value': async () => {
    const reply = await patchAccount({}, { relationships: { sip_trunk: { links: {} } } })
    expect([reply.status, ...problems(reply)]).toEqual([400, '400 malformed /data/relationships/sip_trunk'])
  },
  'update-resource-200-status': async () => {
    expect((await patchAccount({ name: 'C' })).status).toBe(200)
  },
  'update-resource-relationship-200-response': async () => {
    const { data } = await patchAccount({ name: 'D' })
    expect((await client.get(accountPath())).data).toEqual(data)
  },
  'update-resource-204-status': async () => {
    expect((await patchAccount({})).status).toBe(200)
  },
  'update-resource-403-status': async () => {
    const [event] = (await client.get('/events')).list
    const reply = await client.patch(`/events/${event?.id}`, doc('event', {}, { id: event?.id }))
    expect([reply.status, reply.headers.get('allow')]).toEqual([403, 'GET'])
    const relationships = { account: { data: { type: 'account', id: nobody } } }
    const moved = doc('incoming_phone_number', {}, { id: incoming.data.id, relationships })
    expect((await client.patch(incomingPath(), moved)).status).toBe(403)
  },
  'update-resource-404-status': async () => {
    expect((await client.patch(`/accounts/${nobody}`, doc('account', {}, { id: nobody }))).status).toBe(404)
    const foreign = await other.post('/accounts', doc('account', { name: 'F' }))
    const { id } = foreign.data
    expect((await client.patch(`/accounts/${id}`, doc('account', { name: 'Mine' }, { id }))).status).toBe(404)
  },
  'update-resource-404-related': async () => {
    for (const id of [nobody, 'x', account.data.id]) {
      const reply = await patchAccount(
        {},
        { relationships: { sip_trunk: { data: { type: 'sip_trunk', id } } } },
      )
      expect([reply.status, ...problems(reply)]).toEqual([
        404,
        '404 not_found /data/relationships/sip_trunk/data',
      ])
    }
  },
  'update-resource-409-no-match': async () => {
    expect(problems(await patchAccount({}, { id: nobody }))).toEqual(['409 conflict /data/id'])
    const wrongType = doc('rate', {}, { id: account.data.id })
    expect(problems(await client.patch(accountPath(), wrongType))).toEqual(['409 conflict /data/type'])
  },
  'delete-204-status': async () => {
    const { data } = await client.post('/accounts', doc('account', { name: 'Gone' }))
    const { status, text } = await client.remove(`/accounts/${data.id}`)
    expect([status, text]).toEqual([204, ''])
  },
  'query-parameters-non-alpha': async () => {
    for (const parameter of [
      'foo',
      'fooBar',
      'filter',
      'filter[]',
      'filter[a][b]',
      'page',
      'page[number]',
      'page[offset]',
      '',
      'include[]',
      'sort[]',
    ]) {
      const reply = await client.get(`/accounts?${encodeURIComponent(parameter)}=1`)
      expect([parameter, reply.status, reply.errors[0]?.source]).toEqual([parameter, 400, { parameter }])
    }
  },
  'fetch-responses-http-semantics': async () => {
    for (const method of ['PUT', 'POST', 'OPTIONS'] as const) {
      const request = new Request(account.data.links.self, {
        method,
        headers: { Authorization: `Bearer ${client.token}` },
      })
      const response = await createTestApi(platform).fetch(request)
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, PATCH, DELETE'])
    }
    const many = await client.patch('/accounts', doc('account', {}))
    expect([many.status, many.headers.get('allow')]).toEqual([405, 'GET, POST'])
    const head = new Request(account.data.links.self, {
      method: 'HEAD',
      headers: { Authorization: `Bearer ${client.token}` },
    })
    const response = await createTestApi(platform).fetch(head)
    expect([response.status, await response.text(), response.headers.get('content-type')]).toEqual([
      200,
      '',
      jsonApi,
    ])
  },
}
const sameCheck: Record<string, string> = {
  'pagination-links-object': 'pagination-keys',
  'pagination-order': 'pagination-keys',
  'member-name-at-members-ignore-for-definitions': 'member-name-at-members-no-process',
  'create-http-semantics': 'fetch-responses-http-semantics',
  'update-resource-http-semantics': 'fetch-responses-http-semantics',
  'deleting-http-semantics': 'fetch-responses-http-semantics',
}

const noAsync = 'Nothing is answered before it is done, so there is no 202.'
const noRelationshipUrls = 'No relationship URLs are given: relationships are written with their resource.'
const toOneOnly = 'All relationships are to-one.'
const leftOut: Record<string, string> = {
  'request-content-type': 'Binds clients.',
  'request-accept': 'Binds clients.',
  'response-ignore-parameters': 'Binds clients.',
  'resource-fields':
    'The contract gives phone_numbers, error_logs and events an attribute `type`; nothing else clashes.',
  'resource-related-resource-link': noRelationshipUrls,
  'resource-related-resource-link-change': noRelationshipUrls,
  'create-client-generated-ids-key': 'Client-generated ids are not supported.',
  'create-responses-202': noAsync,
  'create-responses-204': 'Client-generated ids are not supported.',
  'create-responses-409-exists': 'Client-generated ids are not supported.',
  'update-resource-relationship-reject-full-replacement-response': toOneOnly,
  'update-resource-202-status': noAsync,
  'update-resource-200-meta': 'A change is always answered with the resource.',
  'update-resource-200-meta-representation': 'A change is always answered with the resource.',
  'delete-202-status': noAsync,
  'delete-200-status': 'A deletion is always answered without content.',
  ...Object.fromEntries(
    statements
      .filter((id) =>
        /^(fetch-relationships|updating-relationship|update-relationship|respond-patch|patch-to-one)/.test(
          id,
        ),
      )
      .map((id) => [id, noRelationshipUrls]),
  ),
  ...Object.fromEntries(
    statements
      .filter((id) => /^(patch-post-delete-to-many|patch-to-many|post-to-many|delete-to-many)/.test(id))
      .map((id) => [id, toOneOnly]),
  ),
}

async function sortedNames(sort: string): Promise<{ names: unknown[]; ids: unknown[] }> {
  const { list: had } = await client.get('/sip_trunks?filter[name]=s')
  if (had.length === 0)
    for (const [name, username] of [
      ['s1', 'a'],
      ['s1', 'b'],
      ['s2', 'c'],
      ['s2', 'd'],
    ] as const)
      await client.post(
        '/sip_trunks',
        doc('sip_trunk', { ...trunkAttributes, name, username: `sort-${username}` }),
      )
  const { list } = await client.get(`/sip_trunks?filter[name]=s&sort=${sort}`)
  return {
    names: list.map(({ attributes }) => attributes.name),
    ids: list.map(({ attributes }) => String(attributes.username).replace('sort-', '')),
  }
}

describe('requests', () => {
  test.each(Object.keys(checks))('%s', async (id) => {
    await checks[id]?.()
  })
})

describe('documents', () => {
  test.each(Object.keys(documentChecks))('%s', (id) => {
    const documents = answers.filter(({ text }) => text !== '').map(({ text }) => JSON.parse(text))
    expect(documents.length).toBeGreaterThan(100)
    expect(documents.filter((document) => !documentChecks[id]?.(document))).toEqual([])
  })
})

test('every MUST is covered, or left out with its reason', () => {
  const covered = [...Object.keys(checks), ...Object.keys(documentChecks), ...Object.keys(sameCheck)]
  const missing = statements.filter((id) => !covered.includes(id) && !(id in leftOut))
  expect(missing).toEqual([])
  expect(Object.keys(leftOut).filter((id) => covered.includes(id) || !statements.includes(id))).toEqual([])
  const count = statements.filter((id) => covered.includes(id)).length
  console.log(
    `JSON:API 1.1: ${count} of ${statements.length} MUSTs covered, ${Object.keys(leftOut).length} left out:`,
  )
  for (const reason of new Set(Object.values(leftOut)))
    console.log(
      `- ${reason} ${Object.keys(leftOut)
        .filter((id) => leftOut[id] === reason)
        .join(', ')}`,
    )
})
