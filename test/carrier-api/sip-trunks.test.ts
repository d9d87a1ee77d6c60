import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Platform } from '../../src/platform.ts'
import { type Client, createClient, createTestApi, doc, problems } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'

let platform: Platform
let client: Client
beforeAll(async () => {
  platform = await createTestPlatform()
  client = await createClient(platform, createTestApi(platform))
})
afterAll(() => platform.database.close())

const ipTrunk = {
  name: 'My Trunk',
  authentication_mode: 'ip_address',
  region: 'hydrogen',
  max_channels: 30,
  inbound_country: 'US',
  inbound_source_ips: ['203.0.113.1'],
  default_sender: '1234567890',
  outbound_host: 'pbx.example.com:5060',
  outbound_dial_string_prefix: '+1',
  outbound_national_dialing: false,
  outbound_plus_prefix: true,
  outbound_route_prefixes: ['1855'],
}
const registration = {
  name: 'My PBX Registration',
  authentication_mode: 'outbound_registration',
  region: 'hydrogen',
  username: 'myuser',
  password: 'mypassword',
  outbound_host: 'pbx.example.com:5060',
  outbound_proxy: null,
  auth_user: null,
}
const hydrogen = {
  table: {
    identifier: 'ap-southeast-1',
    alias: 'hydrogen',
    human_name: 'South East Asia (Singapore)',
  },
}
const create = (attributes: Record<string, unknown>) =>
  client.post('/sip_trunks', doc('sip_trunk', attributes))
const change = (id: string, attributes: Record<string, unknown>) =>
  client.patch(`/sip_trunks/${id}`, doc('sip_trunk', attributes, { id }))

describe('the endpoints of the specification', () => {
  test('create, ip_address mode: exactly what was sent, without credentials', async () => {
    const { status, data, headers } = await create(ipTrunk)
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`${platform.env.PUBLIC_URL}/carrier/v1/sip_trunks/${data.id}`)
    expect(headers.get('content-type')).toBe('application/vnd.api+json')
    expect(data.type).toBe('sip_trunk')
    expect(data.attributes).toEqual({
      ...ipTrunk,
      region: hydrogen,
      outbound_proxy: null,
      auth_user: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
  })

  test('create, outbound_registration mode: the credentials come back', async () => {
    const { status, data } = await create(registration)
    expect(status).toBe(201)
    expect(data.attributes).toMatchObject({ ...registration, region: hydrogen, inbound_source_ips: [] })
  })

  test('create, client_credentials mode: the credentials are generated', async () => {
    const { data } = await create({
      name: 'PBX',
      authentication_mode: 'client_credentials',
      region: 'helium',
    })
    expect(data.attributes.username).toMatch(/^[a-z]+-[a-z]+-\d{4}$/)
    expect(data.attributes.password).toMatch(/^[A-Za-z0-9]{24}$/)
    const again = await client.get(`/sip_trunks/${data.id}`)
    expect(again.data).toEqual(data)
  })

  test('list: the trunks of the carrier, newest first', async () => {
    const other = await createClient(platform, createTestApi(platform), 'Other')
    await other.post('/sip_trunks', doc('sip_trunk', { ...ipTrunk, name: 'Foreign' }))
    const { status, list } = await client.get('/sip_trunks')
    expect(status).toBe(200)
    expect(list.map(({ attributes }) => attributes.name)).toEqual(['PBX', 'My PBX Registration', 'My Trunk'])
  })

  test('update: only the given attributes change, null clears', async () => {
    const { data } = await create(ipTrunk)
    const changed = await change(data.id, { name: 'Updated Trunk Name', max_channels: null })
    expect(changed.status).toBe(200)
    expect(changed.data.attributes).toEqual({
      ...data.attributes,
      name: 'Updated Trunk Name',
      max_channels: null,
      updated_at: expect.any(String),
    })
  })

  test('delete: 204 without content, then 404', async () => {
    const { data } = await create(ipTrunk)
    const { status, text } = await client.remove(`/sip_trunks/${data.id}`)
    expect([status, text]).toEqual([204, ''])
    expect((await client.get(`/sip_trunks/${data.id}`)).status).toBe(404)
    expect((await client.remove(`/sip_trunks/${data.id}`)).status).toBe(404)
  })
})

describe('the error section of the specification: each error with its pointer', () => {
  const refusal = async (attributes: Record<string, unknown>) => {
    const reply = await create(attributes)
    expect(reply.status).toBe(422)
    return problems(reply)
  }

  test('Invalid IP address in inbound_source_ips', async () => {
    expect(await refusal({ ...ipTrunk, inbound_source_ips: ['203.0.113.1', '300.1.1.1', 7] })).toEqual([
      '422 invalid /data/attributes/inbound_source_ips/1',
      '422 type /data/attributes/inbound_source_ips/2',
    ])
  })

  test('Invalid region alias', async () => {
    expect(await refusal({ ...ipTrunk, region: 'carbon' })).toEqual(['422 invalid /data/attributes/region'])
  })

  test('Invalid country code for inbound_country', async () => {
    expect(await refusal({ ...ipTrunk, inbound_country: 'XX' })).toEqual([
      '422 not_in_list /data/attributes/inbound_country',
    ])
  })

  test('Missing required attributes (name, authentication_mode, region)', async () => {
    expect(await refusal({})).toEqual([
      '422 missing /data/attributes/name',
      '422 missing /data/attributes/authentication_mode',
      '422 missing /data/attributes/region',
    ])
  })

  test('Missing credentials (username, password, outbound_host required for outbound_registration)', async () => {
    const bare = { name: 'T', authentication_mode: 'outbound_registration', region: 'hydrogen' }
    expect(await refusal(bare)).toEqual([
      '422 missing /data/attributes/username',
      '422 missing /data/attributes/password',
      '422 missing /data/attributes/outbound_host',
    ])
  })
})
