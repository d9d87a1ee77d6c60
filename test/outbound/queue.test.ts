import { sql } from 'drizzle-orm'
import { afterEach, expect, test } from 'vitest'
import { insertAccount } from '../../src/accounts/queries.ts'
import { rows } from '../../src/db/connect.ts'
import type { Commands } from '../../src/event-socket/commands.ts'
import { createLanes } from '../../src/outbound/queue.ts'
import type { Platform, Switches } from '../../src/platform.ts'
import { deleteTrunk } from '../../src/trunks/queries.ts'
import { eventually } from '../support/eventually.ts'
import { type Placing, startPlacing } from '../support/placing.ts'
import { assignNumber } from '../support/rows.ts'

let placing: Placing

afterEach(() => placing.close())

type Running = Platform & { switches: Switches }

const numberOf = (index: number) => `+1415${String(5_550_000 + index)}`

/** Orders calls at once, in the order of their numbers. */
async function orderMany(count: number): Promise<string[]> {
  const ids: string[] = []
  for (let index = 0; index < count; index++)
    ids.push(await placing.order(numberOf(index), { callback: null }))
  return ids
}

const statuses = () =>
  rows<{ status: string; count: number }>(
    placing.platform.db,
    sql`SELECT status, count(*)::integer AS count FROM phone_calls GROUP BY status ORDER BY status`,
  )

async function allCompleted(count: number, withinMs: number): Promise<void> {
  await expect.poll(statuses, { timeout: withinMs, interval: 250 }).toEqual([{ status: 'completed', count }])
}

/** What must hold of any run: each call was placed once, in the order of the calls, and never too many at once. */
function expectOrderly(ids: readonly string[], most: number) {
  expect(placing.calls.originates.map(({ callId }) => callId)).toEqual(ids)
  expect(new Set(placing.calls.originates.map(({ channelUuid }) => channelUuid)).size).toBe(ids.length)
  expect(placing.calls.mostAtOnce).toBeLessThanOrEqual(most)
}

// The embedded database serves one statement at a time.
const many = process.env.TEST_DATABASE_URL === undefined ? 250 : 1000

test(`${many} calls at once with 20 channels: never more than 20, in order, none twice`, async () => {
  placing = await startPlacing()
  await placing.trunk({ outboundHost: 'pbx.example.com', maxChannels: 20 })
  placing.calls.farEnd = () => ({ answerMs: 5, talkMs: 30 })
  const ids = await orderMany(many)
  await allCompleted(many, 160_000)
  expectOrderly(ids, 20)
}, 200_000)

test('two processes share a queue without placing anything twice or out of order', async () => {
  placing = await startPlacing(2)
  await placing.trunk({ outboundHost: 'pbx.example.com', maxChannels: 20 })
  placing.calls.farEnd = () => ({ answerMs: 5, talkMs: 30 })
  const ids = await orderMany(100)
  await allCompleted(100, 80_000)
  expectOrderly(ids, 20)
}, 100_000)

// More than there are lanes: what is full is not looked at again and again until something changes.
test('many trunks that have no channel left cost one look each', async () => {
  placing = await startPlacing(0)
  const trunks = 20
  for (let index = 0; index < trunks; index++) {
    const prefix = String(855_100 + index)
    const more = { outboundHost: 'pbx.example.com', maxChannels: 1, outboundRoutePrefixes: [prefix] }
    await placing.trunk(more)
    for (const digit of [1, 2]) await placing.order(`+${prefix}55${digit}`, { callback: null })
  }
  await placing.platform.db.execute(
    sql`UPDATE phone_calls SET status = 'in-progress' WHERE to_number LIKE '%1'`,
  )
  const switches = await placing.fleet.startServer()
  const { db, looks } = counted(placing.platform)
  const lanes = createLanes({ ...placing.platform, db }, switches)
  await lanes.serve()
  await expect.poll(looks, { timeout: 5000 }).toBeGreaterThan(trunks)
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(looks()).toBe(trunks + 1)
  await lanes.stop()
})

function counted({ db }: Platform) {
  let count = 0
  const counting = new Proxy(db, {
    get: (target, name) => {
      if (name === 'execute') count++
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return { db: counting, looks: () => count }
}

// A process that is killed does nothing more, neither at its switches nor in its database; its connections break. `at`
// is what it is about to do, or has just done, with the call of that number.
function mortal(at: 'before sending' | 'after sending', atCall: number) {
  let dead = false
  let sent = 0
  let bury = () => {}
  const death = new Promise<void>((resolve) => {
    bury = resolve
  })
  const never = new Promise<never>(() => {})
  const originateOf =
    ({ originate }: Commands, die: () => void): Commands['originate'] =>
    (leg, callId, patience, accepted) => {
      sent++
      const fatal = sent === atCall
      if (fatal && at === 'before sending') die()
      if (dead) return never
      return originate(leg, callId, patience, () => {
        if (fatal) die()
        if (!dead) accepted?.()
      })
    }
  const alter = (own: Running): Running => {
    const { db, switches } = own
    const die = () => {
      dead = true
      bury()
      void switches.stop()
    }
    const guarded = new Proxy(db, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return (...args: unknown[]) => (dead ? never : Reflect.apply(member, target, args))
      },
    })
    return {
      ...own,
      db: guarded,
      switches: {
        ...switches,
        commands: (id) => {
          const commands = dead ? null : switches.commands(id)
          return commands && { ...commands, originate: originateOf(commands, die) }
        },
        onChannelEvent: (heard) =>
          switches.onChannelEvent((event, name) => Promise.race([heard(event, name), death])),
      },
    }
  }
  return {
    alter,
    get isDead() {
      return dead
    },
  }
}

test.each([['before sending' as const], ['after sending' as const]])(
  'one of two processes is killed %s the order: no call is lost, none placed twice',
  async (at) => {
    placing = await startPlacing(0)
    await placing.trunk({ outboundHost: 'pbx.example.com', maxChannels: 5 })
    placing.calls.farEnd = () => ({ answerMs: 5, talkMs: 20 })
    const doomed = mortal(at, 20)
    await placing.startProcess((own) => doomed.alter(own))
    const ids = await orderMany(60)
    await eventually(() => expect(doomed.isDead).toBe(true), 20_000)
    await shortenPatience()
    await placing.startProcess()
    await allCompleted(60, 50_000)
    expectOrderly(ids, 5)
  },
  90_000,
)

test('a call that waits for a trunk that is then deleted ends, or goes on to the next where its account has failover', async () => {
  placing = await startPlacing(0)
  const { db, keys } = placing.platform
  // No switch runs it: a call would wait for one for ever.
  const region = 'nowhere'
  const doomed = await placing.trunk({
    region,
    outboundHost: 'pbx.example.com',
    outboundRoutePrefixes: ['1'],
  })
  const { carrier } = placing.tenant
  const persistent = await insertAccount(db, keys, { carrierId: carrier.id, name: 'B', failover: true })
  const simple = await placing.order(numberOf(1))
  const own = await assignNumber(placing.platform, { carrier, account: persistent }, '19175559877')
  const from = { id: own.id, number: '+19175559877' }
  const lasting = await placing.order(numberOf(2), { account: persistent, from })
  const next = await placing.trunk({ outboundHost: 'pbx.example.com' })
  placing.calls.farEnd = () => ({ answerMs: 5, talkMs: 30 })
  await deleteTrunk(db, doomed)
  await placing.startProcess()

  expect(await placing.ended(simple)).toMatchObject({
    ...{ status: 'failed', hangupCause: 'NO_ROUTE_DESTINATION', sipResponseCode: 404, sipTrunkId: doomed.id },
  })
  expect(await placing.told(simple)).toEqual(['0 initiated', '1 failed'])
  expect(await placing.ended(lasting)).toMatchObject({ status: 'completed', sipTrunkId: next.id })
  expect(placing.calls.originates.map(({ callId }) => callId)).toEqual([lasting])
})

// Fifteen seconds in earnest.
async function shortenPatience() {
  await placing.platform.db.execute(
    sql`UPDATE phone_calls SET placing_until = now() - interval '1 second' WHERE placing_until IS NOT NULL`,
  )
}
