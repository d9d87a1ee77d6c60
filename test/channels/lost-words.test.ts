import { sql } from 'drizzle-orm'
import { afterEach, expect, test } from 'vitest'
import { rows } from '../../src/db/connect.ts'
import { cdrs, phoneCalls } from '../../src/db/schema.ts'
import { freeswitch } from '../../src/freeswitch/index.ts'
import { eventually } from '../support/eventually.ts'
import { type Placing, startPlacing } from '../support/placing.ts'

// What a switch says may be lost on the way: events while the event socket is down, CDRs while no server answers, both
// when it dies. In the end every call is right, and no channel of a trunk is taken by a call that is not there.

let placing: Placing

afterEach(() => placing.close())

const age = () =>
  placing.platform.db.execute(sql`UPDATE phone_calls SET started_at = started_at - interval '1 minute'`)
const statuses = () =>
  rows<{ status: string; count: number }>(
    placing.platform.db,
    sql`SELECT status, count(*)::integer AS count FROM phone_calls GROUP BY status ORDER BY status`,
  )

test('while the event socket is cut calls go on; none is lost or doubled, and all is told in order', async () => {
  placing = await startPlacing()
  const { fake, calls } = placing
  await placing.trunk({ outboundHost: 'pbx.example.com', maxChannels: 10 })
  calls.farEnd = ({ endpoint }) =>
    /[02468]@/.test(endpoint)
      ? { ringMs: 50, answerMs: 300, talkMs: 400 }
      : { ringMs: 50, refuse: { cause: 'USER_BUSY', sipCode: 486, afterMs: 300 } }
  const ids: string[] = []
  for (let i = 0; i < 40; i++) ids.push(await placing.order(`+1415555${String(1000 + i)}`))
  await eventually(() => expect(calls.originates.length).toBeGreaterThan(12), 20_000)
  fake.cut()
  await new Promise((resolve) => setTimeout(resolve, 1500))
  fake.mend()
  await expect.poll(statuses, { timeout: 60_000, interval: 200 }).toEqual([
    { status: 'busy', count: 20 },
    { status: 'completed', count: 20 },
  ])
  expect(calls.originates.map(({ callId }) => callId)).toEqual(ids)
  for (const [index, id] of ids.entries())
    expect(await placing.told(id)).toEqual(
      index % 2 === 0
        ? ['0 initiated', '1 ringing', '2 in-progress', '3 completed']
        : ['0 initiated', '1 ringing', '2 busy'],
    )
}, 90_000)

test('a switch that is away is waited for', async () => {
  placing = await startPlacing()
  await placing.trunk({ outboundHost: 'pbx.example.com' })
  await placing.fake.die()
  await eventually(() => expect(placing.reached()).toBe(false))
  const id = await placing.order('+14155551234')
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(await placing.call(id)).toMatchObject({ status: 'queued' })
  expect(await placing.told(id)).toEqual([])
  await placing.fake.boot()
  expect(await placing.ended(id)).toMatchObject({ status: 'completed' })
}, 30_000)

test('calls whose channels died with their switch are ended, and their channels are free', async () => {
  placing = await startPlacing()
  const { fake, calls } = placing
  await placing.trunk({ outboundHost: 'pbx.example.com', maxChannels: 2 })
  calls.postsCdrs = false
  calls.farEnd = () => ({ ringMs: 5, answerMs: 10, talkMs: 600_000 })
  const lost = [await placing.order('+14155550001'), await placing.order('+14155550002')]
  for (const id of lost)
    await eventually(async () => expect((await placing.call(id)).status).toBe('in-progress'))
  const waiting = await placing.order('+14155550003')
  await fake.die()
  await age()
  await fake.boot()
  for (const id of lost)
    expect(await placing.ended(id)).toMatchObject({ status: 'completed', hangupCause: null })
  await eventually(async () => expect((await placing.call(waiting)).status).toBe('in-progress'), 30_000)
}, 60_000)

test('calls of a switch that never comes back are ended, and their channels are free', async () => {
  placing = await startPlacing()
  const { fake, calls, platform } = placing
  const trunk = await placing.trunk({ outboundHost: 'pbx.example.com', maxChannels: 1 })
  calls.farEnd = () => ({ ringMs: 5, answerMs: 10, talkMs: 600_000 })
  const id = await placing.order('+14155550001')
  await eventually(async () => expect((await placing.call(id)).status).toBe('in-progress'))
  const free = () => rows(platform.db, sql`SELECT trunk_has_channel(${trunk.id}::uuid) AS free`)
  await fake.die()
  await eventually(() => expect(placing.reached()).toBe(false))
  await platform.db.execute(sql`UPDATE phone_calls SET started_at = started_at - interval '6 minutes'`)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(await free()).toEqual([{ free: false }])
  await platform.db.execute(sql`UPDATE switches SET seen_at = seen_at - interval '6 minutes'`)
  expect(await placing.ended(id)).toMatchObject({ status: 'completed', hangupCause: null })
  await eventually(async () => expect(await free()).toEqual([{ free: true }]))
}, 30_000)

test('a call that was ended so learns the truth from a CDR that comes late', async () => {
  placing = await startPlacing()
  const { fake, calls, platform } = placing
  await placing.trunk({ outboundHost: 'pbx.example.com' })
  calls.postsCdrs = false
  calls.farEnd = () => ({ ringMs: 5 })
  const id = await placing.order('+14155550001')
  await eventually(async () => expect((await placing.call(id)).status).toBe('ringing'))
  await fake.die()
  await age()
  await fake.boot()
  expect(await placing.ended(id)).toMatchObject({ status: 'failed', hangupCause: null })
  const told = await placing.told(id)
  const { channelUuid } = await placing.call(id)
  const record = {
    uuid: channelUuid,
    answer_uepoch: '1795382447155000',
    end_uepoch: '1795382509155000',
    billsec: '62',
    hangup_cause: 'NORMAL_CLEARING',
  }
  for (let twice = 0; twice < 2; twice++)
    await freeswitch(platform).request('/cdr', {
      method: 'POST',
      body: JSON.stringify({ variables: record }),
    })
  expect(await placing.call(id)).toMatchObject({
    status: 'completed',
    duration: 62,
    hangupCause: 'NORMAL_CLEARING',
    sipResponseCode: 200,
    endedAt: new Date(1795382509155),
  })
  expect(await placing.told(id)).toEqual(told)
  expect(await platform.db.select().from(cdrs)).toHaveLength(1)
}, 60_000)

test('a call that nobody could place in a day is given up', async () => {
  placing = await startPlacing()
  await placing.trunk({ outboundHost: 'pbx.example.com', maxChannels: 1 })
  placing.calls.farEnd = () => ({ ringMs: 5, answerMs: 10, talkMs: 600_000 })
  const running = await placing.order('+14155550001')
  await eventually(async () => expect((await placing.call(running)).status).toBe('in-progress'))
  const stale = await placing.order('+14155550002')
  await placing.platform.db.update(phoneCalls).set({ createdAt: new Date(Date.now() - 25 * 3_600_000) })
  expect(await placing.ended(stale)).toMatchObject({ status: 'canceled' })
}, 30_000)
