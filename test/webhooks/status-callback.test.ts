import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import twilio from 'twilio'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { authTokenOf } from '../../src/accounts/tokens.ts'
import { errorLogs, statusCallbacks } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { backoffSeconds, beforeAllLanes } from '../../src/webhooks/callback-lanes.ts'
import {
  type Callback,
  deliverDueCallbacks,
  enqueueCallback,
  startCallbackDelivery,
} from '../../src/webhooks/status-callback.ts'
import { eventually } from '../support/eventually.ts'
import { createTestPlatform } from '../support/platform.ts'
import { createTenant, type Tenant } from '../support/rows.ts'
import { startServer } from './server.ts'

let platform: Platform
let tenant: Tenant
let server: Awaited<ReturnType<typeof startServer>>
let status = 200
let stalled = false
beforeAll(async () => {
  platform = await createTestPlatform()
  tenant = await createTenant(platform)
  server = await startServer((seen, response) => {
    if (!stalled || !seen.url.startsWith('/slow')) response.writeHead(status).end()
  })
})
afterAll(async () => {
  await server.close()
  await platform.database.close()
})
afterEach(async () => {
  await platform.db.delete(statusCallbacks)
  await platform.db.delete(errorLogs)
  server.requests.length = 0
  status = 200
  stalled = false
})

const report = (orderKey: string, sequence: number, changed: Partial<Callback> = {}): Callback => ({
  orderKey,
  accountId: tenant.account.id,
  callId: orderKey,
  url: `${server.url}/status`,
  method: 'POST',
  params: { CallSid: 'CA1', SequenceNumber: String(sequence) },
  ...changed,
})
const waiting = () => platform.db.select().from(statusCallbacks).orderBy(statusCallbacks.seq)
const makeDue = () => platform.db.update(statusCallbacks).set({ dueAt: sql`now()` })
const sequences = () => server.requests.map(({ params }) => params.SequenceNumber)

describe('delivery', () => {
  test('a report goes out once, signed, and is forgotten', async () => {
    await enqueueCallback(platform.db, report(randomUUID(), 0))
    const [stored] = await waiting()
    await deliverDueCallbacks(platform)
    expect(await waiting()).toEqual([])
    expect(server.requests).toHaveLength(1)
    const [seen] = server.requests
    expect(seen).toMatchObject({ method: 'POST', params: { CallSid: 'CA1', SequenceNumber: '0' } })
    expect(seen?.headers['i-twilio-idempotency-token']).toBe(stored?.id)
    const token = authTokenOf(platform.keys, tenant.account)
    const signature = String(seen?.headers['x-twilio-signature'])
    expect(twilio.validateRequest(token, signature, `${server.url}/status`, seen?.params ?? {})).toBe(true)
  })

  test('a report is part of the transaction that stores what it reports', async () => {
    const failing = platform.db.transaction(async (tx) => {
      await enqueueCallback(tx, report(randomUUID(), 0))
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await waiting()).toEqual([])
  })

  test('the reports of a call go out in order, each after the one before was taken', async () => {
    const [one, other] = [randomUUID(), randomUUID()]
    for (let sequence = 0; sequence < 5; sequence++) {
      await enqueueCallback(platform.db, report(one, sequence))
      await enqueueCallback(platform.db, report(other, 10 + sequence))
    }
    await deliverDueCallbacks(platform)
    expect(sequences().filter((sequence) => Number(sequence) < 10)).toEqual(['0', '1', '2', '3', '4'])
    expect(sequences().filter((sequence) => Number(sequence) >= 10)).toEqual(['10', '11', '12', '13', '14'])
    expect(await waiting()).toEqual([])
  })

  test('two processes at once deliver nothing twice and keep the order', async () => {
    const keys = Array.from({ length: 6 }, () => randomUUID())
    for (let sequence = 0; sequence < 4; sequence++)
      for (const key of keys)
        await enqueueCallback(platform.db, report(key, sequence, { params: { key, n: `${sequence}` } }))
    await Promise.all([deliverDueCallbacks(platform), deliverDueCallbacks({ ...platform })])
    while ((await waiting()).length > 0) await deliverDueCallbacks(platform)
    for (const key of keys) {
      const seen = server.requests.filter(({ params }) => params.key === key).map(({ params }) => params.n)
      expect(seen).toEqual(['0', '1', '2', '3'])
    }
  })
})

describe('failure', () => {
  test.each([500, 404, 302])(
    '%i is tried again later, and the next of the call waits for it',
    async (code) => {
      const key = randomUUID()
      status = code
      await enqueueCallback(platform.db, report(key, 0))
      await enqueueCallback(platform.db, report(key, 1))
      await deliverDueCallbacks(platform)
      expect(sequences()).toEqual(['0'])
      const [first, second] = await waiting()
      expect(first?.attempts).toBe(1)
      expect(second?.attempts).toBe(0)
      const wait = (first?.dueAt.getTime() ?? 0) - Date.now()
      expect(wait).toBeGreaterThan(3000)
      expect(wait).toBeLessThan(7000)
      status = 204
      await deliverDueCallbacks(platform)
      expect(sequences()).toEqual(['0'])
      await makeDue()
      await deliverDueCallbacks(platform)
      expect(sequences()).toEqual(['0', '0', '1'])
      expect(await waiting()).toEqual([])
    },
  )

  test('those behind one that fails are not looked at until it is due again', async () => {
    const key = randomUUID()
    status = 500
    for (const sequence of [0, 1, 2]) await enqueueCallback(platform.db, report(key, sequence))
    await deliverDueCallbacks(platform)
    await enqueueCallback(platform.db, report(key, 3))
    for (const { dueAt } of await waiting()) expect(dueAt.getTime()).toBeGreaterThan(Date.now() + 3000)
  })

  test('after a day it is given up, with an error log that says why', async () => {
    const { id } = tenant.account
    status = 500
    await enqueueCallback(platform.db, report(randomUUID(), 0, { callId: null }))
    await platform.db
      .update(statusCallbacks)
      .set({ attempts: 30, createdAt: sql`now() - interval '25 hours'` })
    await deliverDueCallbacks(platform)
    expect(await waiting()).toEqual([])
    expect(await platform.db.select().from(errorLogs)).toMatchObject([
      {
        accountId: id,
        type: 'status_callback.failed',
        message: 'A status callback could not be delivered in 31 attempts: The webhook answered 500.',
      },
    ])
  })

  test('what cannot even be sent is given up as well, and lets the next go', async () => {
    const key = randomUUID()
    await enqueueCallback(platform.db, report(key, 0, { callId: null, url: 'no URL' }))
    await enqueueCallback(platform.db, report(key, 1, { callId: null }))
    await deliverDueCallbacks(platform)
    expect((await waiting()).map(({ attempts }) => attempts)).toEqual([1, 0])
    await platform.db.update(statusCallbacks).set({ createdAt: sql`now() - interval '25 hours'` })
    await makeDue()
    await deliverDueCallbacks(platform)
    expect(sequences()).toEqual(['1'])
    expect(await platform.db.select().from(errorLogs)).toMatchObject([
      { type: 'status_callback.failed', details: { url: 'no URL', attempts: 2 } },
    ])
  })

  test('what a process took that died is taken again when its lease is over', async () => {
    const { claimCallback } = await import('../../src/webhooks/callback-queries.ts')
    await enqueueCallback(platform.db, report(randomUUID(), 0))
    expect(
      await claimCallback(platform.db, { after: beforeAllLanes, busyAccounts: [], onlySound: false }),
    ).toMatchObject({ attempts: 1 })
    await deliverDueCallbacks(platform)
    expect(server.requests).toEqual([])
    await makeDue()
    await deliverDueCallbacks(platform)
    expect(sequences()).toEqual(['0'])
  })

  test('a slow customer holds up no other', async () => {
    const slow = await createTenant(platform, 'Slow')
    stalled = true
    for (let n = 0; n < 30; n++)
      await enqueueCallback(
        platform.db,
        report(randomUUID(), n, { accountId: slow.account.id, url: `${server.url}/slow` }),
      )
    await enqueueCallback(platform.db, report(randomUUID(), 99))
    const stop = await startCallbackDelivery(platform)
    const asked = () => server.requests.filter(({ url }) => url === '/slow').length
    await eventually(() => expect([asked(), sequences().includes('99')]).toEqual([4, true]))
    await stop()
    expect(asked()).toBe(4)
  })

  test('waits double, up to an hour, a quarter more or less', () => {
    expect([1, 2, 3, 4].map((attempts) => backoffSeconds(attempts, 0.5))).toEqual([5, 10, 20, 40])
    expect(backoffSeconds(40, 0.5)).toBe(3600)
    expect(backoffSeconds(1, 0)).toBe(3.75)
    expect(backoffSeconds(1, 1)).toBe(6.25)
  })
})

describe('running', () => {
  test('it is woken by what is stored, and what was under way at the stop is not counted', async () => {
    const stop = await startCallbackDelivery(platform)
    await enqueueCallback(platform.db, report(randomUUID(), 7))
    await eventually(() => expect(sequences()).toEqual(['7']), 1500)
    stalled = true
    await enqueueCallback(platform.db, report(randomUUID(), 8, { url: `${server.url}/slow` }))
    await eventually(() => expect(sequences()).toEqual(['7', '8']))
    const started = Date.now()
    await stop()
    expect(Date.now() - started).toBeLessThan(1000)
    const [left] = await waiting()
    expect(left).toMatchObject({ attempts: 0 })
    expect((left?.dueAt.getTime() ?? 0) - Date.now()).toBeLessThanOrEqual(0)
  })
})
