import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { rows } from '../../src/db/connect.ts'
import { callbackLanes, errorLogs, statusCallbacks } from '../../src/db/schema.ts'
import { tidy } from '../../src/housekeeping.ts'
import type { Platform } from '../../src/platform.ts'
import { beforeAllLanes, restSeconds } from '../../src/webhooks/callback-lanes.ts'
import { claimCallback } from '../../src/webhooks/callback-queries.ts'
import {
  deliverDueCallbacks,
  enqueueCallback,
  startCallbackDelivery,
} from '../../src/webhooks/status-callback.ts'
import { eventually } from '../support/eventually.ts'
import { createTestPlatform } from '../support/platform.ts'
import { createTenant, type Tenant } from '../support/rows.ts'
import { startServer } from './server.ts'

let platform: Platform
let good: Tenant
let dead: Tenant[]
let server: Awaited<ReturnType<typeof startServer>>
/** What becomes of a request to `/dead`. */
let mode: 'hangs' | 'closes' | 'fails' | 'answers' = 'answers'
beforeAll(async () => {
  platform = await createTestPlatform()
  good = await createTenant(platform, 'Good')
  dead = []
  for (let n = 0; n < 20; n++) dead.push(await createTenant(platform, `Dead ${n}`))
  server = await startServer((seen, response) => {
    const fate = seen.url === '/dead' ? mode : 'answers'
    if (fate === 'closes') response.destroy()
    else if (fate !== 'hangs') response.writeHead(fate === 'fails' ? 500 : 200).end()
  })
})
afterAll(async () => {
  await server.close()
  await platform.database.close()
})
afterEach(async () => {
  await platform.db.delete(statusCallbacks)
  await platform.db.delete(callbackLanes)
  await platform.db.delete(errorLogs)
  server.requests.length = 0
  mode = 'answers'
})

const put = ({ account }: Tenant, path: string, orderKey: string = randomUUID(), n = '') =>
  enqueueCallback(platform.db, {
    orderKey,
    accountId: account.id,
    callId: null,
    url: `${server.url}${path}`,
    method: 'POST',
    params: { key: orderKey, n },
  })
const first = (tenants: Tenant[]) => {
  const [tenant] = tenants
  if (!tenant) throw new Error('A tenant was expected.')
  return tenant
}
const asked = (path: string) => server.requests.filter(({ url }) => url === path).length
const waiting = () => platform.db.select().from(statusCallbacks).orderBy(statusCallbacks.seq)
const lanes = () => platform.db.select().from(callbackLanes)
const makeDue = () => platform.db.update(statusCallbacks).set({ dueAt: sql`now()` })
const endRests = () => platform.db.update(callbackLanes).set({ restsUntil: sql`now()` })
const attempts = async () => (await waiting()).reduce((sum, row) => sum + row.attempts, 0)

describe('accounts in turn', () => {
  // The good reports go out while all of the dead ones that have a worker still hang.
  async function goodOnesPass() {
    const stop = await startCallbackDelivery(platform)
    await eventually(() => expect(asked('/dead')).toBe(8), 5000)
    for (let n = 0; n < 3; n++) {
      await put(good, `/good-${n}`)
      await eventually(() => expect(asked(`/good-${n}`)).toBe(1), 3000)
    }
    await stop()
    expect(asked('/dead')).toBe(8)
  }

  test('a backlog of five accounts whose host hangs holds up no other', async () => {
    mode = 'hangs'
    for (let n = 0; n < 6; n++) for (const tenant of dead.slice(0, 5)) await put(tenant, '/dead')
    await goodOnesPass()
  })

  test('hosts that did not answer lately have half of the workers, however many they are', async () => {
    mode = 'hangs'
    for (const tenant of dead) await put(tenant, '/dead')
    await platform.db.execute(
      sql`INSERT INTO callback_lanes SELECT account_id, lane, 1, now() FROM status_callbacks`,
    )
    await goodOnesPass()
  })

  test('a notification for each report of a backlog does not give its account more workers', async () => {
    mode = 'hangs'
    const stop = await startCallbackDelivery(platform)
    await Promise.all(Array.from({ length: 30 }, () => put(first(dead), '/dead')))
    await put(good, '/good')
    await eventually(() => expect([asked('/dead'), asked('/good')]).toEqual([4, 1]))
    await stop()
    expect(asked('/dead')).toBe(4)
  })
})

describe('a host that does not answer', () => {
  test('rests after three rounds, but for one report that goes to see', async () => {
    const tenant = first(dead)
    mode = 'closes'
    for (let n = 0; n < 30; n++) await put(tenant, '/dead')
    await deliverDueCallbacks(platform)
    const [lane] = await lanes()
    expect(lane).toMatchObject({ accountId: tenant.account.id, failures: 3 })
    expect((lane?.restsUntil.getTime() ?? 0) - Date.now()).toBeGreaterThan(2000)
    const tried = await attempts()
    expect(tried).toBeLessThanOrEqual(3 * 4)

    await makeDue()
    await deliverDueCallbacks(platform)
    expect(await attempts()).toBe(tried)

    await endRests()
    await Promise.all([deliverDueCallbacks(platform), deliverDueCallbacks({ ...platform })])
    expect(await attempts()).toBe(tried + 1)
    expect(await lanes()).toMatchObject([{ failures: 4 }])

    mode = 'answers'
    await endRests()
    await makeDue()
    await deliverDueCallbacks(platform)
    expect([await waiting(), await lanes()]).toEqual([[], []])
  })

  test('rests for this account and no other, and not for another host of it', async () => {
    const tenant = first(dead)
    await put(tenant, '/dead')
    await platform.db.execute(
      sql`INSERT INTO callback_lanes SELECT account_id, lane, 9, now() + interval '1 minute' FROM status_callbacks`,
    )
    await put(good, '/dead')
    await enqueueCallback(platform.db, {
      orderKey: randomUUID(),
      accountId: tenant.account.id,
      callId: null,
      url: `http://user:secret@LOCALHOST:${server.port}/other`,
      method: 'POST',
      params: {},
    })
    await deliverDueCallbacks(platform)
    expect([asked('/dead'), asked('/other'), (await waiting()).length]).toEqual([1, 1, 1])
  })

  test('is another than one that answers with an error', async () => {
    mode = 'fails'
    for (let n = 0; n < 12; n++) await put(first(dead), '/dead')
    await deliverDueCallbacks(platform)
    expect([asked('/dead'), await lanes()]).toEqual([12, []])
  })

  test('rests for 5 s, doubled each time up to 5 minutes', () => {
    expect([1, 2, 3, 4, 5].map((failures) => restSeconds(failures, 0.5))).toEqual([0, 0, 5, 10, 20])
    expect(restSeconds(40, 0.5)).toBe(300)
  })

  test('loses nothing and keeps the order under two processes', async () => {
    const keys = Array.from({ length: 8 }, () => randomUUID())
    for (const n of ['0', '1', '2']) for (const key of keys) await put(first(dead), '/dead', key, n)
    const both = () => Promise.all([deliverDueCallbacks(platform), deliverDueCallbacks({ ...platform })])
    mode = 'closes'
    await both()
    expect(await waiting()).toHaveLength(24)
    server.requests.length = 0
    mode = 'answers'
    for (let rounds = 0; rounds < 20 && (await waiting()).length > 0; rounds++) {
      await endRests()
      await makeDue()
      await both()
    }
    for (const key of keys) {
      const seen = server.requests.filter(({ params }) => params.key === key).map(({ params }) => params.n)
      expect(seen).toEqual(['0', '1', '2'])
    }
  })
})

test('what is older than a day is given up untried, in one error log, and what stands behind it goes', async () => {
  const tenant = first(dead)
  const key = randomUUID()
  for (const n of ['0', '1']) await put(tenant, '/dead', key, n)
  await platform.db.execute(sql`
    INSERT INTO status_callbacks (order_key, account_id, url, method, params)
    SELECT gen_random_uuid(), account_id, url, method, params FROM status_callbacks, generate_series(1, 600)`)
  const old = sql`now() - interval '25 hours'`
  await platform.db.update(statusCallbacks).set({ createdAt: old, updatedAt: old })
  await put(tenant, '/dead', key, '2')
  await put(good, '/good')
  // A process has it at the moment.
  await put(good, '/taken')
  await platform.db.update(statusCallbacks).set({ createdAt: old }).where(sql`url LIKE '%/taken'`)
  await tidy(platform)
  expect((await waiting()).map(({ url }) => new URL(url).pathname)).toEqual(['/dead', '/good', '/taken'])
  const logs = await platform.db.select().from(errorLogs).orderBy(errorLogs.seq)
  expect(logs.map(({ accountId, type, message }) => [accountId, type, message])).toEqual([
    [
      tenant.account.id,
      'status_callback.failed',
      'Status callbacks could not be delivered within a day: 1000',
    ],
    [
      tenant.account.id,
      'status_callback.failed',
      'Status callbacks could not be delivered within a day: 202',
    ],
  ])
  expect(logs[0]?.details).toEqual({ url: `${server.url}/dead`, callbacks: 1000, attempts: 0 })
  await deliverDueCallbacks(platform)
  expect(server.requests.map(({ params }) => params.n)).toContain('2')
  expect(await waiting()).toEqual([])
})

test('the error log of what is given up names the call, each its own', async () => {
  const { account, carrier } = good
  const calls = await rows<{ id: string }>(
    platform.db,
    sql`INSERT INTO phone_calls (carrier_id, account_id, direction, status, from_number, to_number)
      SELECT ${carrier.id}::uuid, ${account.id}::uuid, 'inbound', 'completed', '1', '2' FROM generate_series(1, 2) RETURNING id`,
  )
  for (const { id } of [...calls, ...calls]) await put(good, '/dead', id)
  const old = sql`now() - interval '25 hours'`
  await platform.db
    .update(statusCallbacks)
    .set({ callId: sql`order_key`, attempts: 7, createdAt: old, updatedAt: old })
  await tidy(platform)
  const logs = await platform.db.select().from(errorLogs)
  expect(logs.map(({ callId }) => callId).sort()).toEqual(calls.map(({ id }) => id).sort())
  for (const { details } of logs) expect(details).toMatchObject({ callbacks: 2, attempts: 14 })
})

test('a claim reads a few rows, whatever waits in the lanes that it leaves out', async () => {
  for (const tenant of [...dead.slice(0, 3), good]) await put(tenant, '/dead')
  const [busy, resting] = [first(dead), first(dead.slice(1))]
  await platform.db.execute(sql`
    INSERT INTO status_callbacks (order_key, account_id, url, method, params, due_at)
    SELECT gen_random_uuid(), account_id, url, method, params, now() - interval '1 hour'
    FROM status_callbacks, generate_series(1, 2000) WHERE account_id IN (${busy.account.id}, ${resting.account.id})`)
  await platform.db.execute(sql`INSERT INTO callback_lanes
    SELECT DISTINCT account_id, lane, 9, now() + interval '1 minute' FROM status_callbacks
    WHERE account_id = ${resting.account.id}`)
  await platform.db.execute(sql`ANALYZE status_callbacks`)
  const plan: string[] = []
  const explaining = new Proxy(platform.db, {
    get: (target, name) => {
      if (name !== 'execute') return Reflect.get(target, name)
      return async (query: ReturnType<typeof sql>) => {
        const lines = await rows<{ 'QUERY PLAN': string }>(target, sql`EXPLAIN (ANALYZE, COSTS OFF) ${query}`)
        plan.push(...lines.map((line) => line['QUERY PLAN']))
        return []
      }
    },
  })
  const turn = { after: beforeAllLanes, busyAccounts: [busy.account.id], onlySound: false }
  await claimCallback(explaining, turn)
  expect(plan.join('\n')).toContain('status_callbacks_lane_idx')
  expect(
    plan.filter((line) => /Seq Scan on status_callbacks|Sort|rows=\d{2,} |Filter: \d{2,}/.test(line)),
  ).toEqual([])
})
