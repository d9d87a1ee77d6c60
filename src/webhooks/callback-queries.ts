import { eq, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { errorLogs, statusCallbacks } from '../db/schema.ts'
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
}

/** Stores a report. One that others of its order key stand before is not due until the last of them is gone (a day is
 * for what nobody foresaw), so that a customer who cannot be reached costs one row to look at. The lock keeps the first
 * from going unnoticed meanwhile. */
export async function insertCallback(db: Db, callback: Callback, channel: string): Promise<void> {
  const { orderKey, accountId, callId, url, method, params } = callback
  await db.execute(sql`
    WITH first AS (SELECT 1 FROM status_callbacks WHERE order_key = ${orderKey}::uuid ORDER BY seq LIMIT 1 FOR KEY SHARE),
      stored AS (INSERT INTO status_callbacks (order_key, account_id, call_id, url, method, params, due_at)
        VALUES (${orderKey}::uuid, ${accountId}::uuid, ${callId}::uuid, ${url}, ${method}, ${JSON.stringify(params)}::jsonb,
          now() + CASE WHEN EXISTS (SELECT 1 FROM first) THEN interval '1 day' ELSE interval '0' END) RETURNING id)
    SELECT pg_notify(${channel}, '') FROM stored`)
}

/** Takes the report that is due longest, of accounts that are not in the list; null when none is due. Only the oldest
 * of each order key may go, and nobody else takes it before its lease is over. */
export async function claimCallback(db: Db, busyAccounts: readonly string[]): Promise<DueCallback | null> {
  const [claimed] = await rows<DueCallback>(
    db,
    sql`WITH due AS (SELECT c.id FROM status_callbacks c
        WHERE c.due_at <= now() AND c.account_id <> ALL (${`{${busyAccounts.join(',')}}`}::uuid[])
          AND NOT EXISTS (SELECT 1 FROM status_callbacks o WHERE o.order_key = c.order_key AND o.seq < c.seq)
        ORDER BY c.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
      UPDATE status_callbacks c SET attempts = c.attempts + 1, updated_at = now(),
        due_at = now() + ${leaseSeconds} * interval '1 second'
      FROM due, accounts a WHERE c.id = due.id AND a.id = c.account_id
      RETURNING c.id, c.order_key AS "orderKey", c.account_id AS "accountId", c.call_id AS "callId", c.url, c.method,
        c.params, c.attempts, extract(epoch FROM now() - c.created_at)::float8 AS "ageSeconds",
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

/** Why a report was not taken, with Twilio's number for it and the HTTP status if there was one. */
export type CallbackProblem = { message: string; code: number; status: number | null }

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
