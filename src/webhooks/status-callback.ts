import type { Db } from '../db/connect.ts'
import type { Platform } from '../platform.ts'
import { decrypt } from '../secrets.ts'
import {
  type Callback,
  type CallbackProblem,
  claimCallback,
  type DueCallback,
  giveUpCallback,
  insertCallback,
  postponeCallback,
  removeCallback,
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
  while (delivery.workers.size > 0) await Promise.all(delivery.workers)
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
    await Promise.all(delivery.workers)
  }
}

const channel = 'status_callbacks'
const pollMilliseconds = 2000
const mostWorkers = 16
const mostWorkersOfAccount = 4
const totalMilliseconds = 15_000
const giveUpAfterSeconds = 24 * 3600

type Delivery = {
  platform: Platform
  workers: Set<Promise<void>>
  /** How many workers serve each account at the moment: one slow customer holds up no other. */
  accounts: Map<string, number>
  requests: Set<AbortController>
  stopped: boolean
}

function newDelivery(platform: Platform): Delivery {
  return { platform, workers: new Set(), accounts: new Map(), requests: new Set(), stopped: false }
}

function wake(delivery: Delivery): void {
  if (delivery.workers.size >= mostWorkers || delivery.stopped) return
  const worker = work(delivery)
    .catch((error) => delivery.platform.log.error({ err: error }, 'Status callbacks could not be looked at'))
    .finally(() => delivery.workers.delete(worker))
  delivery.workers.add(worker)
}

// A worker that found something wakes the next, so that an empty table costs one query a time.
async function work(delivery: Delivery): Promise<void> {
  while (!delivery.stopped) {
    const busy = [...delivery.accounts].filter(([, workers]) => workers >= mostWorkersOfAccount)
    const callback = await claimCallback(
      delivery.platform.db,
      busy.map(([id]) => id),
    )
    if (callback === null) return
    count(delivery, callback.accountId, 1)
    wake(delivery)
    await deliver(delivery, callback).finally(() => count(delivery, callback.accountId, -1))
  }
}

function count({ accounts }: Delivery, accountId: string, change: number): void {
  const workers = (accounts.get(accountId) ?? 0) + change
  if (workers === 0) accounts.delete(accountId)
  else accounts.set(accountId, workers)
}

async function deliver(delivery: Delivery, callback: DueCallback): Promise<void> {
  const { db, metrics } = delivery.platform
  const { attempts } = callback
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
  if (problem === null) return removeCallback(db, callback)
  if (late) return giveUpCallback(db, callback, problem)
  return postponeCallback(db, callback.id, backoffSeconds(attempts), attempts)
}

/** How long a report waits after so many failed attempts: 5 s, doubled each time up to an hour, a quarter more or less
 * by chance. */
export function backoffSeconds(attempts: number, chance: number = Math.random()): number {
  return Math.min(5 * 2 ** (attempts - 1), 3600) * (0.75 + chance / 2)
}

// One that cannot even be sent is tried again and given up like any other: it must not hold up those behind it for ever.
function unsent({ platform }: Delivery, { id }: DueCallback, err: unknown): CallbackProblem {
  platform.log.error({ err, statusCallback: id }, 'A status callback could not be sent')
  return { message: 'It could not be sent.', code: webhookErrors.retrieval, status: null }
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
  if (!answer.ok) return { message: `The webhook ${answer.problem}.`, code: answer.code, status: null }
  const { status } = answer
  if (status >= 200 && status < 300) return null
  return { message: `The webhook answered ${status}.`, code: webhookErrors.retrieval, status }
}
