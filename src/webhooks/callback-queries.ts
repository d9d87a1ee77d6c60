import { eq, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { accounts, errorLogs, statusCallbacks } from '../db/schema.ts'

/** A report that a process has taken for delivery, and what signs it. */
export type DueCallback = NonNullable<Awaited<ReturnType<typeof callbackById>>>

/** Takes the report that is due longest, of accounts that are not in the list; null when none is due. Only the oldest
 * of each order key may go, and nobody else takes it before its lease is over. */
export async function claimCallback(db: Db, busyAccounts: readonly string[]): Promise<DueCallback | null> {
  const [claimed] = await rows<{ id: string }>(
    db,
    sql`UPDATE status_callbacks SET attempts = attempts + 1, due_at = now() + ${leaseSeconds} * interval '1 second',
        updated_at = now()
      WHERE id = (SELECT c.id FROM status_callbacks c
        WHERE c.due_at <= now() AND c.account_id <> ALL (${`{${busyAccounts.join(',')}}`}::uuid[])
          AND NOT EXISTS (SELECT 1 FROM status_callbacks o WHERE o.order_key = c.order_key AND o.seq < c.seq)
        ORDER BY c.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING id`,
  )
  return claimed === undefined ? null : callbackById(db, claimed.id)
}

// Longer than a delivery can take: only what a process took that died is taken again.
const leaseSeconds = 60

async function callbackById(db: Db, id: string) {
  const [found] = await db
    .select({
      id: statusCallbacks.id,
      accountId: statusCallbacks.accountId,
      carrierId: accounts.carrierId,
      authTokenEncrypted: accounts.authTokenEncrypted,
      callId: statusCallbacks.callId,
      url: statusCallbacks.url,
      method: statusCallbacks.method,
      params: statusCallbacks.params,
      attempts: statusCallbacks.attempts,
      createdAt: statusCallbacks.createdAt,
    })
    .from(statusCallbacks)
    .innerJoin(accounts, eq(accounts.id, statusCallbacks.accountId))
    .where(eq(statusCallbacks.id, id))
  return found ?? null
}

/** Forgets a report: it was delivered. */
export async function removeCallback(db: Db, id: string): Promise<void> {
  await db.delete(statusCallbacks).where(eq(statusCallbacks.id, id))
}

/** Makes a report due again after so many seconds; `uncounted`, the attempt was none. */
export async function postponeCallback(
  db: Db,
  id: string,
  seconds: number,
  uncounted = false,
): Promise<void> {
  await db.execute(
    sql`UPDATE status_callbacks SET due_at = now() + ${seconds} * interval '1 second',
        attempts = attempts - ${uncounted ? 1 : 0}, updated_at = now() WHERE id = ${id}::uuid`,
  )
}

/** Forgets a report that could not be delivered and leaves an error log that says so. */
export async function giveUpCallback(db: Db, callback: DueCallback, problem: string): Promise<void> {
  const { id, accountId, carrierId, callId, url, params, attempts } = callback
  await db.transaction(async (tx) => {
    await tx.delete(statusCallbacks).where(eq(statusCallbacks.id, id))
    await tx.insert(errorLogs).values({
      carrierId,
      accountId,
      callId,
      type: 'status_callback.failed',
      message: `A status callback could not be delivered in ${attempts} attempts: ${problem}`,
      details: { url, params, attempts },
    })
  })
}
