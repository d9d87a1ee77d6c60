import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertErrorLog } from '../../src/calls/log-queries.ts'
import { phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { type Client, createClient, createTestApi, doc } from '../support/api.ts'
import { createTestPlatform } from '../support/platform.ts'

// What a trunk leaves behind when it is deleted.

let platform: Platform
let client: Client & { carrier: { id: string } }

beforeAll(async () => {
  platform = await createTestPlatform()
  client = await createClient(platform, createTestApi(platform))
})
afterAll(() => platform.database.close())

const trunk = async () =>
  (
    await client.post(
      '/sip_trunks',
      doc('sip_trunk', { name: 'T', authentication_mode: 'client_credentials', region: 'hydrogen' }),
    )
  ).data.id
const account = async (sip_trunk_id: string | null) =>
  (await client.post('/accounts', doc('account', { name: 'A', sip_trunk_id }))).data

test('each account that was dedicated to it has an event, with the account before and after', async () => {
  const [mine, others] = [await trunk(), await trunk()]
  const dedicated = [await account(mine), await account(mine)]
  const elsewhere = await account(others)
  expect((await client.remove(`/sip_trunks/${mine}`)).status).toBe(204)
  const { list, text } = await client.get('/events?page[size]=3&sort=-created_at')
  expect(list.map(({ attributes }) => [attributes.type, attributes.resource_id])).toEqual([
    ['sip_trunk.deleted', mine],
    ['account.updated', dedicated[1]?.id],
    ['account.updated', dedicated[0]?.id],
  ])
  const now = (await client.get(`/accounts/${dedicated[0]?.id}`)).data
  const { auth_token, ...before } = dedicated[0]?.attributes ?? {}
  const { auth_token: _, ...after } = now.attributes
  expect(list[2]?.attributes).toMatchObject({
    api_token_id: list[0]?.attributes.api_token_id,
    details: {
      before: {
        ...{ type: 'account', id: now.id, attributes: before },
        relationships: { sip_trunk: { data: { type: 'sip_trunk', id: mine } } },
      },
      after: {
        ...{ type: 'account', id: now.id, attributes: after },
        relationships: { sip_trunk: { data: null } },
      },
    },
  })
  expect([before.sip_trunk_id, after.sip_trunk_id]).toEqual([mine, null])
  expect(text).not.toContain(auth_token)
  const { data } = await client.get(`/accounts/${elsewhere.id}`)
  expect(data.attributes).toEqual(elsewhere.attributes)
})

test('calls and error logs tell which trunk it was; it is in no included', async () => {
  const [gone, kept] = [await trunk(), await trunk()]
  const { id: accountId } = await account(null)
  const call = {
    ...{ carrierId: client.carrier.id, accountId, direction: 'outbound-api' as const },
    ...{ from: '+14155551234', to: '+442079460000' },
  }
  await platform.db.insert(phoneCalls).values([
    { ...call, sipTrunkId: gone, status: 'completed' },
    { ...call, sipTrunkId: gone, status: 'in-progress', channelUuid: crypto.randomUUID() },
    { ...call, sipTrunkId: kept, status: 'completed' },
  ])
  const log = { carrierId: call.carrierId, accountId, callId: null, type: 'x', message: 'x', details: {} }
  await insertErrorLog(platform.db, { ...log, sipTrunkId: gone })
  expect((await client.remove(`/sip_trunks/${gone}`)).status).toBe(204)
  await insertErrorLog(platform.db, { ...log, sipTrunkId: gone })

  const linkage = { sip_trunk: { data: { type: 'sip_trunk', id: gone } } }
  for (const [path, count] of [
    ['phone_calls', 2],
    ['error_logs', 2],
  ] as const) {
    const { list, included } = await client.get(`/${path}?filter[sip_trunk]=${gone}&include=sip_trunk`)
    expect(list).toHaveLength(count)
    for (const { relationships } of list) expect(relationships).toMatchObject(linkage)
    expect(included).toEqual([])
  }
  const both = await client.get(`/phone_calls?filter[account]=${accountId}&include=sip_trunk`)
  expect(both.included?.map(({ id }) => id)).toEqual([kept])
})
