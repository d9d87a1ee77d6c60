import type { Db } from '../db/connect.ts'
import type { Platform } from '../platform.ts'
import { decrypt } from '../secrets.ts'
import { backoffSeconds, beforeAllLanes, type Lane, suspectLane, trustLane } from './callback-lanes.ts'
import {
  type Callback,
  type CallbackProblem,
  claimCallback,
  type DueCallback,
  giveUpCallback,
  insertCallback,
  postponeCallback,
  removeCallback,
  type Turn,
} from './callback-queries.ts'
import { openJar } from './cookies.ts'
import { bounded, webhookErrors } from './exchange.ts'
import { follow } from './follow.ts'
import { guardFor } from './guard.ts'
import { sign } from './signature.ts'

export type { Callback } from './callback-queries.ts'

// An outbox of our own: a report is to be stored in the transaction that stores what it reports, to go out in the
// order of its call, and to run on the embedded database as well, which no packaged queue offers together.

/** Stores a report inside the caller's transaction, so that it is sent if, and only if, what it reports is stored. */
export const enqueueCallback = (db: Db, callback: Callback): Promise<void> =>
  insertCallback(db, callback, channel)

/** Delivers all that is due now, and what becomes due by it; any number of processes may do so at once. */
export async function deliverDueCallbacks(platform: Platform): Promise<void> {
  const delivery = newDelivery(platform)
  wake(delivery)
  await idle(delivery)
}

/** Delivers reports from now on, woken by `enqueueCallback` of any process and by the clock, until stopped: what is
 * under way then goes back to the table. */
export async function startCallbackDelivery(platform: Platform): Promise<() => Promise<void>> {
  const delivery = newDelivery(platform)
  const clock = setInterval(() => wake(delivery), pollMilliseconds)
  const unlisten = await platform.database.listen(channel, () => wake(delivery))
  wake(delivery)
  return async () => {
    clearInterval(clock)
    delivery.stopped = true
    for (const request of delivery.requests) request.abort()
    await unlisten()
    await idle(delivery)
  }
}

const channel = 'status_callbacks'
const pollMilliseconds = 2000
const mostAtOnce = 16
const mostOfAccount = 4
// The other half is for accounts that have none under way, and for lanes that answer.
const half = mostAtOnce / 2
const totalMilliseconds = 15_000
const giveUpAfterSeconds = 24 * 3600

type Delivery = {
  platform: Platform
  /** What is under way: one slow customer holds up no other. */
  running: Set<DueCallback>
  /** The lane that had a turn last; only where the next look begins. */
  turn: Lane
  looking: boolean
  /** Whether something may have become due since the last look. */
  woken: boolean
  work: Set<Promise<void>>
  requests: Set<AbortController>
  stopped: boolean
}

function newDelivery(platform: Platform): Delivery {
  return {
    platform,
    running: new Set(),
    turn: beforeAllLanes,
    looking: false,
    woken: false,
    work: new Set(),
    requests: new Set(),
    stopped: false,
  }
}

async function idle({ work }: Delivery): Promise<void> {
  while (work.size > 0) await Promise.all(work)
}

function start(delivery: Delivery, work: Promise<void>): void {
  const started = work
    .catch((error) => delivery.platform.log.error({ err: error }, 'Status callbacks could not be looked at'))
    .finally(() => delivery.work.delete(started))
  delivery.work.add(started)
}

// One look at a time: what is under way is known to the next, and a burst of notifications costs two.
function wake(delivery: Delivery): void {
  delivery.woken = true
  if (!delivery.looking && !delivery.stopped) start(delivery, look(delivery))
}

async function look(delivery: Delivery): Promise<void> {
  delivery.looking = true
  try {
    while (delivery.woken && !delivery.stopped) {
      delivery.woken = false
      await takeAll(delivery)
    }
  } finally {
    delivery.looking = false
  }
}

async function takeAll(delivery: Delivery): Promise<void> {
  while (delivery.running.size < mostAtOnce && !delivery.stopped) {
    const callback = await take(delivery)
    if (callback === null) return
    start(delivery, run(delivery, callback))
  }
}

// Two looks go all the way round: on from the last turn, then from the first lane.
async function take(delivery: Delivery): Promise<DueCallback | null> {
  const { platform, turn, running } = delivery
  const from = (after: Lane) => claimCallback(platform.db, { after, ...limitsOf(running) })
  const taken = (await from(turn)) ?? (turn === beforeAllLanes ? null : await from(beforeAllLanes))
  delivery.turn = taken ?? beforeAllLanes
  return taken
}

function limitsOf(running: ReadonlySet<DueCallback>): Omit<Turn, 'after'> {
  const most = running.size < half ? mostOfAccount : 1
  const accounts = new Map<string, number>()
  for (const { accountId } of running) accounts.set(accountId, (accounts.get(accountId) ?? 0) + 1)
  return {
    busyAccounts: [...accounts].filter(([, count]) => count >= most).map(([id]) => id),
    onlySound: [...running].filter(({ failures }) => failures > 0).length >= half,
  }
}

async function run(delivery: Delivery, callback: DueCallback): Promise<void> {
  delivery.running.add(callback)
  await deliver(delivery, callback).finally(() => {
    delivery.running.delete(callback)
    wake(delivery)
  })
}

async function deliver(delivery: Delivery, callback: DueCallback): Promise<void> {
  const { db, metrics } = delivery.platform
  const { attempts } = callback
  if (delivery.stopped) return postponeCallback(db, callback.id, 0, attempts - 1)
  const started = performance.now()
  const problem = await bounded(
    totalMilliseconds,
    (signal) => send(delivery.platform, callback, signal).catch((error) => unsent(delivery, callback, error)),
    delivery.requests,
  )
  if (problem !== null && delivery.stopped) return postponeCallback(db, callback.id, 0, attempts - 1)
  const late = callback.ageSeconds > giveUpAfterSeconds
  const result = problem === null ? 'delivered' : late ? 'given_up' : 'failed'
  metrics.deliveredCallback(result, performance.now() - started)
  if (problem === null) await removeCallback(db, callback)
  else if (late) await giveUpCallback(db, callback, problem)
  else await postponeCallback(db, callback.id, backoffSeconds(attempts), attempts)
  if (problem?.silent) await suspectLane(db, callback)
  else if (callback.failures > 0) await trustLane(db, callback)
}

// One that cannot even be sent is tried again and given up like any other: it must not hold up those behind it for ever.
function unsent({ platform }: Delivery, { id }: DueCallback, err: unknown): CallbackProblem {
  platform.log.error({ err, statusCallback: id }, 'A status callback could not be sent')
  return { message: 'It could not be sent.', code: webhookErrors.retrieval, status: null, silent: false }
}

async function send(
  platform: Platform,
  callback: DueCallback,
  signal: AbortSignal,
): Promise<CallbackProblem | null> {
  const { id, url, method, params, accountId, authTokenEncrypted } = callback
  const authToken = decrypt(platform.keys, `accounts:${accountId}`, authTokenEncrypted)
  const headers = (hop: URL, posted: Record<string, string>) => ({
    'User-Agent': 'TwilioProxy/1.1',
    Accept: '*/*',
    'X-Twilio-Signature': sign(authToken, hop, posted),
    'I-Twilio-Idempotency-Token': id,
  })
  const limits = { signal, mostBytes: 64 * 1024, skipBody: () => true }
  const { answer } = await follow(
    guardFor(platform.env),
    { url, method, params, headers, jar: openJar(null) },
    limits,
  )
  if (!answer.ok) {
    const silent = answer.connection || signal.aborted
    return { message: `The webhook ${answer.problem}.`, code: answer.code, status: null, silent }
  }
  const { status } = answer
  if (status >= 200 && status < 300) return null
  return { message: `The webhook answered ${status}.`, code: webhookErrors.retrieval, status, silent: false }
}
