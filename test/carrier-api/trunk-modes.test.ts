import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Platform } from '../../src/platform.ts'
import { digestHash, realm } from '../../src/trunks/credentials.ts'
import { trunkById } from '../../src/trunks/queries.ts'
import { type Client, createClient, createTestApi, doc, problems } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'

let platform: Platform
let client: Client
beforeAll(async () => {
  platform = await createTestPlatform()
  client = await createClient(platform, createTestApi(platform))
})
afterAll(() => platform.database.close())

const create = async (attributes: Record<string, unknown>) =>
  client.post('/sip_trunks', doc('sip_trunk', { name: 'T', region: 'hydrogen', ...attributes }))
const change = (id: string, attributes: Record<string, unknown>) =>
  client.patch(`/sip_trunks/${id}`, doc('sip_trunk', attributes, { id }))
const versionOf = async (id: string) => (await trunkById(platform.db, id))?.version

const byAddress = { authentication_mode: 'ip_address', inbound_source_ips: ['203.0.113.1'] }
const byClient = { authentication_mode: 'client_credentials' }
const byRegistration = {
  authentication_mode: 'outbound_registration',
  username: 'alice',
  password: 'secret words',
  outbound_host: 'pbx.example.com:5060',
  auth_user: 'alice@trunk.com',
}

describe('switching the authentication mode', () => {
  test('to client_credentials: addresses go, credentials are made', async () => {
    const { data } = await create(byAddress)
    const { data: after } = await change(data.id, byClient)
    expect(after.attributes).toMatchObject({
      ...byClient,
      inbound_source_ips: [],
      username: expect.stringMatching(/^[a-z]+-[a-z]+-\d{4}$/),
      password: expect.stringMatching(/^[A-Za-z0-9]{24}$/),
    })
  })

  test('to ip_address: credentials go, and come back as others', async () => {
    const { data } = await create(byClient)
    const { data: after } = await change(data.id, byAddress)
    expect(after.attributes).toMatchObject(byAddress)
    expect(after.attributes).not.toHaveProperty('username')
    expect(after.attributes).not.toHaveProperty('password')
    expect(await trunkById(platform.db, data.id)).toMatchObject({ username: null, passwordEncrypted: null })
    const { data: again } = await change(data.id, byClient)
    expect(again.attributes.username).not.toBe(data.attributes.username)
    expect(again.attributes.password).not.toBe(data.attributes.password)
  })

  test('to outbound_registration needs credentials of its own, whatever the old mode had', async () => {
    for (const old of [byAddress, byClient]) {
      const { data } = await create(old)
      const reply = await change(data.id, { authentication_mode: 'outbound_registration' })
      expect([reply.status, ...problems(reply)]).toEqual([
        422,
        '422 missing /data/attributes/username',
        '422 missing /data/attributes/password',
        '422 missing /data/attributes/outbound_host',
      ])
      expect((await client.get(`/sip_trunks/${data.id}`)).data).toEqual(data)
      expect((await change(data.id, byRegistration)).data.attributes).toMatchObject(byRegistration)
    }
  })

  test('from outbound_registration: the provider’s credentials are not handed to clients', async () => {
    const { data } = await create(byRegistration)
    const { data: after } = await change(data.id, byClient)
    expect(after.attributes.username).not.toBe('alice')
    expect(after.attributes.password).not.toBe('secret words')
    expect(after.attributes.auth_user).toBeNull()
  })

  test('to ip_address without an address is refused', async () => {
    const { data } = await create(byClient)
    const reply = await change(data.id, { authentication_mode: 'ip_address' })
    expect(problems(reply)).toEqual(['422 missing /data/attributes/inbound_source_ips'])
  })
})

describe('credentials', () => {
  test('user names of client_credentials trunks are unique on the platform; those of providers are not', async () => {
    const other = await createClient(platform, createTestApi(platform))
    const taken = { ...byClient, username: 'pbx-1', password: 'long enough' }
    expect((await create(taken)).data.attributes).toMatchObject(taken)
    const clash = await other.post(
      '/sip_trunks',
      doc('sip_trunk', { name: 'T', region: 'hydrogen', ...taken }),
    )
    expect([clash.status, ...problems(clash)]).toEqual([422, '422 taken /data/attributes/username'])
    const provider = { name: 'T', region: 'hydrogen', ...byRegistration, username: 'pbx-1' }
    expect((await other.post('/sip_trunks', doc('sip_trunk', provider))).status).toBe(201)
  })

  test('twenty clients that choose one name at the same moment: one gets it', async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => create({ ...byClient, username: 'one-of-us' })),
    )
    expect(replies.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(422)])
  })

  test('null makes a new password; a chosen one must not be short', async () => {
    const { data } = await create(byClient)
    const { data: after } = await change(data.id, { password: null })
    expect(after.attributes.username).toBe(data.attributes.username)
    expect(after.attributes.password).toMatch(/^[A-Za-z0-9]{24}$/)
    expect(after.attributes.password).not.toBe(data.attributes.password)
    expect(problems(await change(data.id, { password: '1234567' }))).toEqual([
      '422 too_short /data/attributes/password',
    ])
  })

  test('passwords are encrypted at rest and never echoed by an error', async () => {
    const { data } = await create(byRegistration)
    const stored = await trunkById(platform.db, data.id)
    expect(Buffer.from(stored?.passwordEncrypted ?? []).includes('secret words')).toBe(false)
    const reply = await change(data.id, { password: `hunter2\${hunter2}` })
    expect([reply.status, reply.text.includes('hunter2')]).toEqual([422, false])
  })

  test('HA1 as other programs compute it', () => {
    expect(digestHash('user1', 'somleng.org', 'password')).toBe('e4e073a5123b081c2282fc4846c85c62')
    expect(realm).toBe('trunks')
  })
})

describe('what FreeSWITCH runs has a version', () => {
  test('a change of the gateway counts, any other does not', async () => {
    const { data } = await create(byRegistration)
    expect(await versionOf(data.id)).toBe(1)
    await change(data.id, { name: 'Renamed', max_channels: 5, outbound_plus_prefix: true })
    await change(data.id, byRegistration)
    expect(await versionOf(data.id)).toBe(1)
    const changes = [
      { username: 'bob' },
      { password: 'other' },
      { outbound_host: 'other.example.com' },
      { outbound_proxy: 'proxy.example.com:5070' },
      { auth_user: null },
      { region: 'helium' },
    ]
    for (const [index, attributes] of changes.entries()) {
      await change(data.id, attributes)
      expect([attributes, await versionOf(data.id)]).toEqual([attributes, index + 2])
    }
  })

  test('a change that changes nothing leaves updated_at alone', async () => {
    const { data } = await create({ ...byAddress, outbound_route_prefixes: ['1', '44'] })
    expect((await change(data.id, data.attributes)).data).toEqual(data)
  })
})

describe('source addresses', () => {
  test('IPv4 and IPv6, single or CIDR, each once, as they are compared', async () => {
    const given = [
      '203.0.113.1',
      '203.0.113.1/32',
      '198.51.100.0/24',
      '2001:DB8::1',
      '2001:db8::/32',
      '::ffff:192.0.2.9',
    ]
    const { data } = await create({ ...byAddress, inbound_source_ips: given })
    expect(data.attributes.inbound_source_ips).toEqual([
      '203.0.113.1',
      '198.51.100.0/24',
      '2001:db8::1',
      '2001:db8::/32',
      '192.0.2.9',
    ])
  })

  test.each([
    '300.1.1.1',
    '1.2.3',
    '010.0.0.1',
    '1.2.3.4/33',
    '1.2.3.4/024',
    '198.51.100.1/24',
    '0.0.0.0/0',
    '::/0',
    '2001:db8::1::2',
    'fe80::1%eth0',
    'example.com',
    '1.2.3.4 ',
    '',
    '203.0.113.1,203.0.113.2',
  ])('%j is none', async (address) => {
    const reply = await create({ ...byAddress, inbound_source_ips: ['203.0.113.1', address] })
    expect([reply.status, ...problems(reply)]).toEqual([
      422,
      '422 invalid /data/attributes/inbound_source_ips/1',
    ])
  })

  test('an ip_address trunk needs one, null and [] are none', async () => {
    for (const none of [[], null]) {
      const reply = await create({ ...byAddress, inbound_source_ips: none })
      expect(problems(reply)).toEqual(['422 missing /data/attributes/inbound_source_ips'])
    }
  })
})

describe('each attribute by its rule', () => {
  test.each([
    ['name', '', 'blank'],
    ['name', null, 'blank'],
    ['name', 5, 'type'],
    ['name', 'a\u0007b', 'invalid'],
    ['name', 'a\u0000b', 'invalid'],
    ['name', '\udc00', 'invalid'],
    ['name', 'x'.repeat(256), 'too_long'],
    ['authentication_mode', 'magic', 'not_in_list'],
    ['authentication_mode', null, 'blank'],
    ['region', 7, 'invalid'],
    ['max_channels', 0, 'too_small'],
    ['max_channels', -1, 'too_small'],
    ['max_channels', 1.5, 'type'],
    ['max_channels', '30', 'type'],
    ['max_channels', 2 ** 31, 'too_large'],
    ['max_channels', 1e300, 'too_large'],
    ['inbound_country', 'us', 'not_in_list'],
    ['inbound_country', 'USA', 'not_in_list'],
    ['default_sender', 'Bob', 'invalid'],
    ['outbound_host', 'http://pbx.example.com', 'invalid'],
    ['outbound_host', 'pbx.example.com:99999', 'invalid'],
    ['outbound_host', 'pbx.example.com;x', 'invalid'],
    ['outbound_proxy', `${'a.'.repeat(60)}com`, 'too_long'],
    ['outbound_proxy', 'a b', 'invalid'],
    ['auth_user', 'a'.repeat(61), 'too_long'],
    ['auth_user', 'a"b', 'invalid'],
    ['outbound_dial_string_prefix', '++1', 'invalid'],
    ['outbound_dial_string_prefix', '1+1', 'invalid'],
    ['outbound_national_dialing', 'yes', 'type'],
    ['outbound_plus_prefix', 1, 'type'],
    ['outbound_route_prefixes', '1', 'type'],
    ['username', 'a b', 'invalid'],
    ['username', 'a@b', 'invalid'],
    ['password', 'a\nb', 'invalid'],
    ['Name', 'x', 'unknown'],
    ['toString', 'x', 'unknown'],
    ['__proto__', 'x', 'unknown'],
  ])('%s: %j is %s', async (name, value, code) => {
    const { data } = await create(byRegistration)
    const attributes = JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value)}}`)
    const reply = await change(data.id, attributes)
    expect([reply.status, ...problems(reply)]).toEqual([422, `422 ${code} /data/attributes/${name}`])
    expect((await client.get(`/sip_trunks/${data.id}`)).data).toEqual(data)
  })

  test('entries of lists by their place', async () => {
    const reply = await create({ ...byAddress, outbound_route_prefixes: ['1', '+44', 5, ''] })
    expect(problems(reply)).toEqual([
      '422 invalid /data/attributes/outbound_route_prefixes/1',
      '422 type /data/attributes/outbound_route_prefixes/2',
      '422 invalid /data/attributes/outbound_route_prefixes/3',
    ])
  })

  test('all that is wrong at once: the attributes and the trunk as a whole', async () => {
    const reply = await create({
      name: '',
      authentication_mode: 'outbound_registration',
      max_channels: 0,
      outbound_host: 'a b',
      region: 'carbon',
    })
    expect(problems(reply)).toEqual([
      '422 blank /data/attributes/name',
      '422 invalid /data/attributes/region',
      '422 too_small /data/attributes/max_channels',
      '422 invalid /data/attributes/outbound_host',
      '422 missing /data/attributes/username',
      '422 missing /data/attributes/password',
    ])
    for (const error of reply.errors)
      expect(error).toMatchObject({ title: expect.any(String), detail: expect.any(String) })
  })

  test('defaults: what may be null can be cleared, flags and lists go back to none', async () => {
    const { data } = await create({
      ...byAddress,
      max_channels: 3,
      default_sender: '+855 23'.replace(' ', ''),
      outbound_plus_prefix: true,
      outbound_route_prefixes: ['1', '1', '44'],
      outbound_dial_string_prefix: '+9',
    })
    expect(data.attributes).toMatchObject({ default_sender: '85523', outbound_route_prefixes: ['1', '44'] })
    const cleared = {
      max_channels: null,
      default_sender: null,
      outbound_plus_prefix: null,
      outbound_route_prefixes: null,
      outbound_dial_string_prefix: null,
    }
    expect((await change(data.id, cleared)).data.attributes).toMatchObject({
      ...cleared,
      outbound_plus_prefix: false,
      outbound_route_prefixes: [],
    })
  })
})

describe('warnings before trouble', () => {
  let own: Client
  const trunk = async (by: Client, name: string, attributes: Record<string, unknown>) =>
    by.post('/sip_trunks', doc('sip_trunk', { name, region: 'hydrogen', ...attributes }))
  const warningsOf = ({ data }: Awaited<ReturnType<typeof trunk>>) => data.meta?.warnings
  beforeAll(async () => {
    own = await createClient(platform, createTestApi(platform))
  })

  test('the same address on two trunks: calls will be refused', async () => {
    const first = await trunk(own, 'First', { ...byAddress, inbound_source_ips: ['198.51.100.7'] })
    expect(first.data.meta).toBeUndefined()
    const second = await trunk(own, 'Second', {
      ...byAddress,
      inbound_source_ips: ['192.0.2.1', '198.51.100.7'],
    })
    expect([second.status, warningsOf(second)]).toEqual([
      201,
      [
        {
          code: 'ambiguous_source',
          title: 'shares a source address',
          detail:
            'The trunk "First" lists 198.51.100.7 too. Calls from there fit both trunks and are refused as ambiguous.',
          sip_trunk_id: first.data.id,
        },
      ],
    ])
    expect(second.meta).toEqual(second.data.meta)
    const wider = await trunk(own, 'Wider', { ...byAddress, inbound_source_ips: ['192.0.2.0/24'] })
    expect(warningsOf(wider)).toEqual([
      expect.objectContaining({
        code: 'overlapping_source',
        detail:
          '192.0.2.0/24 overlaps with 192.0.2.1 of the trunk "Second". Calls from 192.0.2.1 are those of the trunk "Second", which lists the narrower network.',
      }),
    ])
    const fixed = await own.patch(
      `/sip_trunks/${second.data.id}`,
      doc('sip_trunk', { inbound_source_ips: ['192.0.3.1'] }, { id: second.data.id }),
    )
    expect(fixed.data.meta).toBeUndefined()
  })

  test('the same prefix on two shared trunks: the older one takes all', async () => {
    const dialling = { ...byClient, outbound_route_prefixes: ['855', '1415'] }
    const first = await trunk(own, 'Old', dialling)
    expect(warningsOf(first)).toBeUndefined()
    const second = await trunk(own, 'New', { ...dialling, outbound_route_prefixes: ['1415', '1650'] })
    expect(warningsOf(second)).toEqual([
      {
        code: 'ambiguous_prefix',
        title: 'shares a route prefix',
        detail:
          'The trunk "Old" has the route prefix 1415 too. The oldest trunk takes all of these calls: "Old".',
        sip_trunk_id: first.data.id,
      },
    ])
    await own.post('/accounts', doc('account', { name: 'A', sip_trunk_id: first.data.id }))
    expect(warningsOf(await own.get(`/sip_trunks/${second.data.id}`))).toBeUndefined()
  })

  test('nothing is said of other carriers', async () => {
    const other = await createClient(platform, createTestApi(platform))
    const same = { ...byAddress, inbound_source_ips: ['198.51.100.7'], outbound_host: 'pbx.example.com' }
    expect((await trunk(other, 'Foreign', same)).data.meta).toBeUndefined()
  })
})
