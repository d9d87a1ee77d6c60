import type { AddressInfo } from 'node:net'
import { type ServerType, serve } from '@hono/node-server'
import JsonApiSerializer from 'jsonapi-serializer'
import Kitsu from 'kitsu'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Platform } from '../../src/platform.ts'
import { createClient, createTestApi } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'

// Clients that know JSON:API and nothing of this product, each with the one line of settings that the docs name.

let platform: Platform
let server: ServerType
let baseURL: string
let headers: Record<string, string>
beforeAll(async () => {
  platform = await createTestPlatform({ API_SUBDOMAIN: '' })
  const app = createTestApi(platform)
  headers = { Authorization: `Bearer ${(await createClient(platform, app)).token}` }
  await new Promise<void>((listening) => {
    server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, () => listening())
  })
  baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/carrier/v1`
})
afterAll(async () => {
  await new Promise((closed) => server.close(closed))
  await platform.database.close()
})

const trunk = {
  name: 'Client',
  authentication_mode: 'ip_address',
  region: 'hydrogen',
  inbound_source_ips: ['203.0.113.1'],
  outbound_route_prefixes: ['1', '44'],
}

describe('kitsu', () => {
  const connect = () =>
    new Kitsu({ baseURL, resourceCase: 'snake', camelCaseTypes: false, pluralize: false, headers })

  test('creates, lists, shows, changes and deletes trunks and accounts', async () => {
    const api = connect()
    const { data: made } = await api.post('sip_trunks', trunk)
    expect(made).toMatchObject({ type: 'sip_trunk', name: 'Client', inbound_source_ips: ['203.0.113.1'] })
    const { data: account } = await api.post('accounts', {
      name: 'Kitsu',
      sip_trunk: { data: { type: 'sip_trunk', id: made.id } },
    })
    const { data: shown } = await api.get(`accounts/${account.id}`, { params: { include: 'sip_trunk' } })
    expect(shown.sip_trunk.data).toMatchObject({ id: made.id, name: 'Client' })
    const { data: listed } = await api.get('accounts', {
      params: { filter: { name: 'kitsu' }, page: { size: 5 }, sort: '-created_at' },
    })
    expect(listed).toHaveLength(1)
    const { data: changed } = await api.patch('sip_trunks', { id: made.id, name: 'Changed', max_channels: 3 })
    expect(changed).toMatchObject({ name: 'Changed', max_channels: 3, outbound_route_prefixes: ['1', '44'] })
    await api.delete('accounts', account.id)
    await api.delete('sip_trunks', made.id)
    await expect(api.get(`sip_trunks/${made.id}`)).rejects.toMatchObject({
      errors: [{ status: '404', code: 'not_found' }],
    })
  })

  test('gets every error with its pointer', async () => {
    await expect(connect().post('sip_trunks', { ...trunk, name: '', max_channels: 0 })).rejects.toMatchObject(
      {
        errors: [
          { status: '422', title: 'must be filled', source: { pointer: '/data/attributes/name' } },
          {
            status: '422',
            title: 'must be greater than 0',
            source: { pointer: '/data/attributes/max_channels' },
          },
        ],
      },
    )
  })
})

describe('jsonapi-serializer', () => {
  const { Serializer, Deserializer } = JsonApiSerializer
  const send = async (method: string, path: string, document?: unknown) => {
    const response = await fetch(`${baseURL}${path}`, {
      method,
      headers: { ...headers, 'Content-Type': 'application/vnd.api+json' },
      ...(document !== undefined && { body: JSON.stringify(document) }),
    })
    const text = await response.text()
    return { status: response.status, document: text === '' ? null : JSON.parse(text) }
  }
  const read = (document: unknown) =>
    new Deserializer({ keyForAttribute: 'underscore_case' }).deserialize(document)

  test.each([
    ['sip_trunks', trunk, { name: 'Changed', max_channels: 3 }],
    ['accounts', { name: 'Serializer', billing_enabled: true }, { name: 'Changed', billing_enabled: false }],
  ])('creates, lists, changes and deletes %s', async (path, attributes, changes) => {
    const toDocument = (values: Record<string, unknown>) =>
      new Serializer(path, {
        keyForAttribute: 'underscore_case',
        pluralizeType: false,
        attributes: Object.keys(values).filter((name) => name !== 'id'),
      }).serialize(values)
    const created = await send('POST', `/${path}`, toDocument(attributes))
    expect([created.status, created.document.errors]).toEqual([201, undefined])
    const made = await read(created.document)
    expect(made).toMatchObject(attributes.name === 'Client' ? { ...attributes, region: {} } : attributes)

    const { document: list } = await send('GET', `/${path}?filter[name]=${attributes.name}`)
    expect((await read(list)).map(({ id }) => id)).toEqual([made.id])
    const changed = await send('PATCH', `/${path}/${made.id}`, toDocument({ id: made.id, ...changes }))
    expect(await read(changed.document)).toMatchObject(changes)
    expect((await send('DELETE', `/${path}/${made.id}`)).status).toBe(204)
  })
})
