import { eq, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { errorLogs, statusCallbacks } from '../db/schema.ts'
import { failuresBeforeRest, type Lane, type Suspicion } from './callback-lanes.ts'
import type { Webhook } from './webhook.ts'

/** A report to a customer. Those with one `orderKey` (the call's id, or the recording's) are delivered in the order in
 * which they were stored. */
export type Callback = Webhook & {
  orderKey: string
  accountId: string
  callId: string | null
  params: Record<string, string>
}

/** A report that a process has taken for delivery, how old it is, and what signs it. */
export type DueCallback = Callback & {
  id: string
  carrierId: string
  authTokenEncrypted: Uint8Array
  /** This one included. */
  attempts: number
  ageSeconds: number
} & Suspicion

/** Stores a report. One that others of its order key stand before is not due until the last of them is gone (two days
 * are never over: after one it is given up), so that a customer who cannot be reached costs one row to look at. The lock
 * keeps the first from going unnoticed meanwhile. */
export async function insertCallback(db: Db, callback: Callback, channel: string): Promise<void> {
  const { orderKey, accountId, callId, url, method, params } = callback
  await db.execute(sql`
    WITH first AS (SELECT 1 FROM status_callbacks WHERE order_key = ${orderKey}::uuid ORDER BY seq LIMIT 1 FOR KEY SHARE),
      stored AS (INSERT INTO status_callbacks (order_key, account_id, call_id, url, method, params, due_at)
        VALUES (${orderKey}::uuid, ${accountId}::uuid, ${callId}::uuid, ${url}, ${method}, ${JSON.stringify(params)}::jsonb,
          now() + CASE WHEN EXISTS (SELECT 1 FROM first) THEN interval '2 days' ELSE interval '0' END) RETURNING id)
    SELECT pg_notify(${channel}, '') FROM stored`)
}

/** Where a claim begins, after this lane, and whom it leaves out: accounts that have enough, and, if `onlySound`, lanes
 * that did not answer lately. */
export type Turn = { after: Lane; busyAccounts: readonly string[]; onlySound: boolean }

/** Takes the report that is due longest in the next lane that has one; null when none has. Lanes are found one by one in
 * the index, so that it does not matter how much waits in any of them, and in turn, so that none waits for the backlog
 * of another. Only the oldest of each order key may go, and nobody else takes it before its lease is over; of a lane
 * that rested one goes to see, whatever the number of processes. */
export async function claimCallback(
  db: Db,
  { after, busyAccounts, onlySound }: Turn,
): Promise<DueCallback | null> {
  const [claimed] = await rows<DueCallback>(
    db,
    sql`WITH RECURSIVE lanes AS (
      (SELECT account_id, lane FROM status_callbacks
        WHERE (account_id, lane) > (${after.accountId}::uuid, ${after.lane}::smallint) ORDER BY account_id, lane LIMIT 1)
      UNION ALL
      SELECT n.account_id, n.lane FROM lanes l CROSS JOIN LATERAL (
        SELECT c.account_id, c.lane FROM status_callbacks c WHERE (c.account_id, c.lane) > (l.account_id, l.lane)
        ORDER BY c.account_id, c.lane LIMIT 1) n
    ), due AS (
      SELECT c.id, l.account_id, l.lane, coalesce(s.failures, 0) AS failures FROM lanes l
      LEFT JOIN LATERAL (SELECT failures, rests_until FROM callback_lanes s
        WHERE s.account_id = l.account_id AND s.lane = l.lane LIMIT 1) s ON true
      CROSS JOIN LATERAL (SELECT c.id FROM status_callbacks c
        WHERE l.account_id <> ALL (${`{${busyAccounts.join(',')}}`}::uuid[])
          AND (s.failures IS NULL OR (s.rests_until <= now() AND NOT ${onlySound}::boolean))
          AND c.account_id = l.account_id AND c.lane = l.lane AND c.due_at <= now()
          AND NOT EXISTS (SELECT 1 FROM status_callbacks o WHERE o.order_key = c.order_key AND o.seq < c.seq)
        ORDER BY c.due_at LIMIT 1 FOR UPDATE SKIP LOCKED) c
      LIMIT 1
    ), probe AS (
      UPDATE callback_lanes s SET rests_until = now() + ${leaseSeconds}::integer * interval '1 second' FROM due
      WHERE s.account_id = due.account_id AND s.lane = due.lane AND due.failures >= ${failuresBeforeRest}::integer
        AND s.rests_until <= now() RETURNING 1
    )
    UPDATE status_callbacks c SET attempts = c.attempts + 1, updated_at = now(),
      due_at = now() + ${leaseSeconds}::integer * interval '1 second'
    FROM due, accounts a WHERE c.id = due.id AND a.id = c.account_id
      AND (due.failures < ${failuresBeforeRest}::integer OR EXISTS (SELECT 1 FROM probe))
    RETURNING c.id, c.order_key AS "orderKey", c.account_id AS "accountId", c.call_id AS "callId", c.url, c.method,
      c.params, c.attempts, extract(epoch FROM now() - c.created_at)::float8 AS "ageSeconds", c.lane, due.failures,
      a.carrier_id AS "carrierId", a.auth_token_encrypted AS "authTokenEncrypted"`,
  )
  return claimed ?? null
}

// Longer than a delivery can take: only what a process took that died is taken again.
const leaseSeconds = 60

/** Forgets a report that was delivered, and makes the next of its order key due. In one transaction: nobody may take
 * the next before it is made due, and in two statements: the second sees what was stored while the first waited. */
export async function removeCallback(db: Db, { id, orderKey }: DueCallback): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.delete(statusCallbacks).where(eq(statusCallbacks.id, id))
    await tx.execute(
      sql`UPDATE status_callbacks SET due_at = now() WHERE id =
        (SELECT id FROM status_callbacks WHERE order_key = ${orderKey}::uuid ORDER BY seq LIMIT 1)`,
    )
  })
}

/** Makes a report due again after so many seconds; `attempts` is what counts so far. */
export async function postponeCallback(db: Db, id: string, seconds: number, attempts: number): Promise<void> {
  await db.execute(
    sql`UPDATE status_callbacks SET due_at = now() + ${seconds} * interval '1 second', attempts = ${attempts},
        updated_at = now() WHERE id = ${id}::uuid`,
  )
}

/** Why a report was not taken, with Twilio's number for it and the HTTP status if there was one; `silent` when its host
 * could not be connected to, or did not answer in time. */
export type CallbackProblem = { message: string; code: number; status: number | null; silent: boolean }

/** Forgets a report that could not be delivered and leaves an error log that says so. */
export async function giveUpCallback(
  db: Db,
  callback: DueCallback,
  { message, code, status }: CallbackProblem,
): Promise<void> {
  const { accountId, carrierId, callId, url, params, attempts } = callback
  await db.transaction(async (tx) => {
    await removeCallback(tx, callback)
    await tx.insert(errorLogs).values({
      carrierId,
      accountId,
      callId,
      type: 'status_callback.failed',
      message: `A status callback could not be delivered in ${attempts} attempts: ${message}`,
      details: { url, params, attempts, code, http_status: status },
    })
  })
}

/** Forgets up to a thousand reports that are older than a day, tried or not, with an error log for each call; gives how
 * many there were. One that may be under way is left alone. In two statements, as in `removeCallback`. */
export async function giveUpOldCallbacks(db: Db): Promise<number> {
  return db.transaction(async (tx) => {
    const gone = await rows<{ order_key: string }>(
      tx,
      sql`WITH old AS (SELECT id FROM status_callbacks WHERE created_at < now() - interval '24 hours'
          AND updated_at < now() - ${leaseSeconds}::integer * interval '1 second'
          ORDER BY created_at LIMIT 1000 FOR UPDATE SKIP LOCKED),
        gone AS (DELETE FROM status_callbacks c USING old WHERE c.id = old.id RETURNING c.*),
        told AS (INSERT INTO error_logs (carrier_id, account_id, call_id, type, message, details)
          SELECT a.carrier_id, a.id, p.id, 'status_callback.failed',
            'Status callbacks could not be delivered within a day: ' || count(*),
            jsonb_build_object('url', min(g.url), 'callbacks', count(*), 'attempts', sum(g.attempts))
          FROM gone g JOIN accounts a ON a.id = g.account_id LEFT JOIN phone_calls p ON p.id = g.call_id
          GROUP BY a.carrier_id, a.id, p.id)
        SELECT order_key FROM gone`,
    )
    const keys = [...new Set(gone.map(({ order_key }) => order_key))]
    // One that was tried already has its time.
    await tx.execute(
      sql`UPDATE status_callbacks SET due_at = now() WHERE attempts = 0 AND id IN (
        SELECT DISTINCT ON (order_key) id FROM status_callbacks
        WHERE order_key = ANY (${`{${keys.join(',')}}`}::uuid[]) ORDER BY order_key, seq)`,
    )
    return gone.length
  })
}
