import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { charge } from '../../src/calls/charge.ts'
import { phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { type Client, createClient, createTestApi, doc, problems } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'

let platform: Platform
let client: Client & { carrier: { id: string } }
beforeAll(async () => {
  platform = await createTestPlatform()
  client = await createClient(platform, createTestApi(platform))
})
afterAll(() => platform.database.close())

const link = (type: string, id: string) => ({ data: { type, id } })
const account = async (attributes: Record<string, unknown> = {}) =>
  (await client.post('/accounts', doc('account', { name: 'Business A', ...attributes }))).data
const number = async (digits: string) =>
  (await client.post('/phone_numbers', doc('phone_number', { number: digits }))).data
const assign = (accountId: string, numberId: string, attributes: Record<string, unknown> = {}) =>
  client.post(
    '/incoming_phone_numbers',
    doc('incoming_phone_number', attributes, {
      relationships: { account: link('account', accountId), phone_number: link('phone_number', numberId) },
    }),
  )

// So that a title does not print all of it.
const big = { toJSON: () => ({ a: 'x'.repeat(20_000) }) }

describe('accounts', () => {
  test('a new account has credentials for the Twilio API', async () => {
    const data = await account()
    expect(data.attributes).toEqual({
      name: 'Business A',
      status: 'enabled',
      metadata: {},
      sip_trunk_id: null,
      billing_enabled: false,
      failover: false,
      sid: `AC${data.id.replaceAll('-', '')}`,
      auth_token: expect.stringMatching(/^[0-9a-f]{32}$/),
      created_at: expect.any(String),
      updated_at: expect.any(String),
    })
    expect(data.relationships).toEqual({ sip_trunk: { data: null } })
  })

  test('metadata is merged at every depth; null removes, null for all clears', async () => {
    const { id } = await account({ metadata: { crm: { id: 1, tier: 'gold' }, note: 'x' } })
    const patch = async (metadata: unknown) =>
      (await client.patch(`/accounts/${id}`, doc('account', { metadata }, { id }))).data.attributes.metadata
    expect(await patch({ crm: { id: 2 }, tags: ['a'] })).toEqual({
      crm: { id: 2, tier: 'gold' },
      note: 'x',
      tags: ['a'],
    })
    expect(await patch({ crm: { tier: null }, note: null })).toEqual({ crm: { id: 2 }, tags: ['a'] })
    expect(await patch(JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'))).toEqual(
      JSON.parse('{"crm":{"id":2},"tags":["a"],"__proto__":{"polluted":true},"constructor":1}'),
    )
    expect(await patch(null)).toEqual({})
  })

  test.each([
    [{ metadata: 'text' }, '422 invalid /data/attributes/metadata'],
    [{ metadata: ['a'] }, '422 invalid /data/attributes/metadata'],
    [{ metadata: { a: { links: {} } } }, '422 invalid /data/attributes/metadata'],
    [{ metadata: big }, '422 invalid /data/attributes/metadata'],
    [{ metadata: { a: { 'b\u0000': 1 } } }, '422 invalid /data/attributes/metadata/a'],
    [{ metadata: { a: ['\ud800'] } }, '422 invalid /data/attributes/metadata/a/0'],
    [{ name: ' ' }, '422 blank /data/attributes/name'],
    [{ status: 'asleep' }, '422 not_in_list /data/attributes/status'],
    [{ billing_enabled: 'yes' }, '422 type /data/attributes/billing_enabled'],
    [{ nickname: 'B' }, '422 unknown /data/attributes/nickname'],
    [{ sip_trunk_id: 'mine' }, '422 invalid /data/attributes/sip_trunk_id'],
  ])('an account with %o is refused', async (attributes, problem) => {
    const reply = await client.post('/accounts', doc('account', { name: 'A', ...attributes }))
    expect([reply.status, ...problems(reply)]).toEqual([422, problem])
  })

  test('the dedicated trunk is an own one, as an attribute or as a relationship; its deletion clears it', async () => {
    const trunk = { name: 'T', authentication_mode: 'client_credentials', region: 'hydrogen' }
    const own = (await client.post('/sip_trunks', doc('sip_trunk', trunk))).data
    const other = await createClient(platform, createTestApi(platform))
    const foreign = (await other.post('/sip_trunks', doc('sip_trunk', trunk))).data

    const { id } = await account({ sip_trunk_id: own.id })
    const path = `/accounts/${id}`
    const byAttribute = await client.patch(path, doc('account', { sip_trunk_id: foreign.id }, { id }))
    expect([byAttribute.status, ...problems(byAttribute)]).toEqual([
      422,
      '422 invalid /data/attributes/sip_trunk_id',
    ])
    const related = (trunkId: string) => ({ id, relationships: { sip_trunk: link('sip_trunk', trunkId) } })
    const byLink = await client.patch(path, doc('account', {}, related(foreign.id)))
    expect([byLink.status, ...problems(byLink)]).toEqual([
      404,
      '404 not_found /data/relationships/sip_trunk/data',
    ])
    await client.patch(path, doc('account', { sip_trunk_id: null }, { id }))
    const linked = await client.patch(path, doc('account', {}, related(own.id)))
    expect(linked.data.attributes.sip_trunk_id).toBe(own.id)

    await client.remove(`/sip_trunks/${own.id}`)
    const { data } = await client.get(path)
    expect([data.attributes.sip_trunk_id, data.relationships]).toEqual([null, { sip_trunk: { data: null } }])
  })
})

describe('numbers', () => {
  test.each([
    ['+1 (415) 555-1234', '+14155551234', 'local', 'US'],
    ['18005551234', '+18005551234', 'toll_free', 'US'],
    ['+85512345678', '+85512345678', 'mobile', 'KH'],
    ['1294', '1294', 'short_code', 'US'],
  ])('%s becomes %s, %s, %s', async (given, shown, type, country) => {
    expect((await number(given)).attributes).toMatchObject({
      number: shown,
      type,
      country,
      visibility: 'private',
      metadata: {},
    })
  })

  test.each([
    [{}, '422 missing /data/attributes/number'],
    [{ number: '+14155551234' }, '422 taken /data/attributes/number'],
    [{ number: 'abc' }, '422 invalid /data/attributes/number'],
    [{ number: '+442079460000', type: 'short_code' }, '422 invalid /data/attributes/type'],
    [{ number: '2222', type: 'local' }, '422 invalid /data/attributes/type'],
    [{ number: '+442079460000', country: 'FR' }, '422 invalid /data/attributes/country'],
    [{ number: '+442079460000', metadata: 7 }, '422 invalid /data/attributes/metadata'],
  ])('%j is refused', async (attributes, problem) => {
    const reply = await client.post('/phone_numbers', doc('phone_number', attributes))
    expect([reply.status, ...problems(reply)]).toEqual([422, problem])
  })

  test('a number is one account’s at a time; releasing keeps history and frees it', async () => {
    const [a, b] = [await account(), await account()]
    const { id: numberId } = await number('+14155550001')
    const first = await assign(a.id, numberId, { voice_url: 'https://app.example.com/voice' })
    expect([first.status, first.data.attributes.number, first.data.attributes.status]).toEqual([
      201,
      '+14155550001',
      'active',
    ])
    expect(first.data.meta).toBeUndefined()
    const second = await assign(b.id, numberId)
    expect([second.status, ...problems(second)]).toEqual([
      422,
      '422 taken /data/relationships/phone_number/data',
    ])

    const inUse = await client.remove(`/phone_numbers/${numberId}`)
    expect([inUse.status, inUse.errors[0]?.detail]).toEqual([
      422,
      `Release the incoming phone number ${first.data.id} first.`,
    ])
    const accountInUse = await client.remove(`/accounts/${a.id}`)
    expect([accountInUse.status, accountInUse.errors[0]?.title, accountInUse.errors[0]?.detail]).toEqual([
      422,
      'cannot be deleted because dependent incoming phone numbers exist',
      `These depend on it: ${first.data.id}.`,
    ])
    const renamed = await client.patch(
      `/phone_numbers/${numberId}`,
      doc('phone_number', { number: '+14155550002' }, { id: numberId }),
    )
    expect(problems(renamed)).toEqual(['422 in_use /data/attributes/number'])

    expect((await client.remove(`/incoming_phone_numbers/${first.data.id}`)).status).toBe(204)
    expect((await client.remove(`/incoming_phone_numbers/${first.data.id}`)).status).toBe(404)
    const kept = await client.get(`/incoming_phone_numbers/${first.data.id}`)
    expect(kept.data.attributes.status).toBe('released')
    const { list: trail } = await client.get(`/events?filter[resource]=${first.data.id}`)
    expect(trail.map(({ attributes }) => attributes.type)).toEqual([
      'incoming_phone_number.released',
      'incoming_phone_number.created',
    ])
    const again = await assign(b.id, numberId)
    expect([again.status, again.meta]).toEqual([
      201,
      { warnings: [expect.objectContaining({ code: 'unconfigured' })] },
    ])
    const active = await client.get(
      `/incoming_phone_numbers?filter[phone_number]=${numberId}&filter[status]=active`,
    )
    expect(active.list.map(({ id }) => id)).toEqual([again.data.id])
    await client.remove(`/incoming_phone_numbers/${again.data.id}`)
    expect((await client.remove(`/phone_numbers/${numberId}`)).status).toBe(204)
    expect((await client.remove(`/accounts/${a.id}`)).status).toBe(204)
  })

  test('null is the default again', async () => {
    const defaults = { visibility: 'private', metadata: {} }
    const { id } = (
      await client.post(
        '/phone_numbers',
        doc('phone_number', { number: '14155550009', visibility: 'public', metadata: { a: 1 } }),
      )
    ).data
    const { data } = await client.patch(
      `/phone_numbers/${id}`,
      doc('phone_number', { visibility: null, metadata: null }, { id }),
    )
    expect(data.attributes).toMatchObject(defaults)
    const incoming = (
      await assign((await account()).id, id, { voice_method: 'GET', sip_domain: 'a.example' })
    ).data
    const cleared = { voice_method: null, sip_domain: null }
    const after = await client.patch(
      `/incoming_phone_numbers/${incoming.id}`,
      doc('incoming_phone_number', cleared, { id: incoming.id }),
    )
    expect(after.data.attributes).toMatchObject({ voice_method: 'POST', sip_domain: null })
  })

  test('both ends are required, must exist, and cannot be changed', async () => {
    const nothing = await client.post('/incoming_phone_numbers', doc('incoming_phone_number', {}))
    expect(problems(nothing)).toEqual([
      '422 missing /data/relationships/account',
      '422 missing /data/relationships/phone_number',
    ])
    const unknown = await assign(crypto.randomUUID(), crypto.randomUUID())
    expect([unknown.status, ...problems(unknown)]).toEqual([
      404,
      '404 not_found /data/relationships/account/data',
      '404 not_found /data/relationships/phone_number/data',
    ])
    const [a, b] = [await account(), await account()]
    const { data } = await assign(a.id, (await number('+14155550003')).id)
    const moved = await client.patch(
      `/incoming_phone_numbers/${data.id}`,
      doc('incoming_phone_number', {}, { id: data.id, relationships: { account: link('account', b.id) } }),
    )
    expect([moved.status, ...problems(moved)]).toEqual([403, '403 forbidden /data/relationships/account'])
    const same = await client.patch(`/incoming_phone_numbers/${data.id}`, { data })
    expect([same.status, same.data.attributes]).toEqual([200, data.attributes])
  })

  test.each([
    [{ voice_url: 'ftp://x.example.com' }, 'voice_url'],
    [{ voice_url: 'app.example.com/voice' }, 'voice_url'],
    [{ voice_method: 'PUT' }, 'voice_method'],
    [{ sip_domain: 'sip:pbx.example.com' }, 'sip_domain'],
    [{ sip_domain: 'pbx.example.com;x=y' }, 'sip_domain'],
    [{ friendly_name: 'a\nb' }, 'friendly_name'],
  ])('%j is refused', async (attributes, name) => {
    const { list } = await client.get('/phone_numbers?filter[number]=14155551234')
    const reply = await assign((await account()).id, list[0]?.id ?? '', attributes)
    expect(reply.errors.map(({ source }) => source)).toEqual([{ pointer: `/data/attributes/${name}` }])
  })
})

describe('rates and charges', () => {
  const rate = (direction: string, prefix: string, price: unknown) =>
    client.post('/rates', doc('rate', { direction, prefix, price_per_minute: price }))

  async function finished(accountId: string, call: Partial<typeof phoneCalls.$inferInsert>) {
    const answeredAt = call.duration === undefined ? null : new Date()
    const [row] = await platform.db
      .insert(phoneCalls)
      .values({
        carrierId: client.carrier.id,
        accountId,
        direction: 'outbound-api',
        status: 'completed',
        from: '+14155551234',
        to: '+442079460000',
        answeredAt,
        endedAt: new Date(),
        channelUuid: crypto.randomUUID(),
        ...call,
      })
      .returning()
    const id = row?.id ?? ''
    await charge(platform.db, id)
    const { data } = await client.get(`/phone_calls/${id}`)
    return { id, charged: [data.attributes.price, data.attributes.price_unit] }
  }

  test('a price is a decimal, exactly as it was given', async () => {
    const { data } = await rate('outbound', '', '0.03')
    expect(data.attributes).toMatchObject({ direction: 'outbound', prefix: '', price_per_minute: '0.03' })
    await rate('outbound', '44', '0.1')
    await rate('outbound', '4420', 0.07)
    await rate('inbound', '1415', '0.005')
    expect(problems(await rate('outbound', '44', '0.2'))).toEqual(['422 taken /data/attributes/prefix'])
    expect(problems(await rate('both', '4a', '-1'))).toEqual([
      '422 not_in_list /data/attributes/direction',
      '422 invalid /data/attributes/prefix',
      '422 invalid /data/attributes/price_per_minute',
    ])
    expect(problems(await rate('inbound', '7', '0.000001'))).toEqual([
      '422 invalid /data/attributes/price_per_minute',
    ])
  })

  test('a finished call is charged by the longest prefix of the called number, full minutes', async () => {
    const { id } = await account({ billing_enabled: true })
    expect((await finished(id, { duration: 61 })).charged).toEqual(['0.14', 'USD'])
    expect((await finished(id, { duration: 60 })).charged).toEqual(['0.07', 'USD'])
    expect((await finished(id, { duration: 180, to: '+447700900000' })).charged).toEqual(['0.3', 'USD'])
    expect((await finished(id, { duration: 0, to: '+33140000000' })).charged).toEqual(['0.03', 'USD'])
    expect((await finished(id, { duration: 120, to: '+14155551234', direction: 'inbound' })).charged).toEqual(
      ['0.01', 'USD'],
    )
    expect((await finished(id, { status: 'busy' })).charged).toEqual(['0', 'USD'])
    expect((await finished(id, { duration: 9, to: '+85512345678', direction: 'inbound' })).charged).toEqual([
      null,
      null,
    ])
    expect((await finished(id, { duration: 6000 })).charged).toEqual(['7', 'USD'])
  })

  test('calls of accounts without billing are not charged', async () => {
    expect((await finished((await account()).id, { duration: 61 })).charged).toEqual([null, null])
  })

  test('a price that was set stays', async () => {
    const { id } = await account({ billing_enabled: true })
    const call = await finished(id, { duration: 61 })
    const { data } = await client.patch(
      `/phone_calls/${call.id}`,
      doc('phone_call', { price: '-0.05' }, { id: call.id }),
    )
    expect([data.attributes.price, data.attributes.price_unit]).toEqual(['-0.05', 'USD'])
    await charge(platform.db, call.id)
    expect((await client.get(`/phone_calls/${call.id}`)).data.attributes.price).toBe('-0.05')
    const wrong = await client.patch(
      `/phone_calls/${call.id}`,
      doc('phone_call', { price: 'free', status: 'failed' }, { id: call.id }),
    )
    expect(problems(wrong)).toEqual(['422 invalid /data/attributes/price'])
  })

  test('the channel of a call is shown nowhere', async () => {
    const { id } = await account()
    const call = await finished(id, {
      duration: 5,
      switchName: 'fs1',
      routeSteps: [{ carrierId: 'c', kept: true }],
    })
    const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.id, call.id))
    const { text, data } = await client.get(`/phone_calls/${call.id}`)
    expect(text).not.toContain(row?.channelUuid)
    expect(data.attributes.route_steps).toEqual([{ kept: true }])
    const refusal = await client.remove(`/accounts/${id}`)
    expect(refusal.errors[0]?.title).toBe('cannot be deleted because dependent phone calls exist')
  })
})

describe('the audit trail', () => {
  test('every write is an event with the resource before and after, without secrets', async () => {
    const created = await client.post(
      '/sip_trunks',
      doc('sip_trunk', { name: 'Before', authentication_mode: 'client_credentials', region: 'hydrogen' }),
    )
    const { id } = created.data
    await client.patch(`/sip_trunks/${id}`, doc('sip_trunk', { name: 'After' }, { id }))
    await client.patch(`/sip_trunks/${id}`, doc('sip_trunk', { name: 'After' }, { id }))
    await client.patch(`/sip_trunks/${id}`, doc('sip_trunk', { region: 'nowhere' }, { id }))
    await client.remove(`/sip_trunks/${id}`)
    const { list, text } = await client.get(`/events?filter[resource]=${id}&sort=created_at`)
    expect(list.map(({ attributes }) => attributes.type)).toEqual([
      'sip_trunk.created',
      'sip_trunk.updated',
      'sip_trunk.deleted',
    ])
    expect(list[1]?.attributes).toMatchObject({
      resource_id: id,
      api_token_id: expect.any(String),
      details: {
        before: { type: 'sip_trunk', id, attributes: { name: 'Before' } },
        after: { type: 'sip_trunk', id, attributes: { name: 'After' } },
      },
    })
    expect(text).not.toContain(String(created.data.attributes.password))
    expect(text).not.toContain('"password"')
  })
})
