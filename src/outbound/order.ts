import { randomUUID } from 'node:crypto'
import { and, eq, sql } from 'drizzle-orm'
import type { Account } from '../accounts/account.ts'
import type { Instructions } from '../calls/call.ts'
import { wakeCallWork } from '../calls/due-queries.ts'
import { type Db, rows } from '../db/connect.ts'
import { idempotencyKeys, phoneCalls } from '../db/schema.ts'
import { noteInLog } from '../log.ts'
import type { Platform } from '../platform.ts'
import { isSipUri } from '../sip-uri.ts'
import { chooseTrunks } from '../trunks/choose.ts'
import type { StatusCallback } from '../webhooks/webhook.ts'

/** A call that an account orders: every part of it was checked. */
export type CallOrder = {
  /** A SIP URI, or E.164. */
  to: string
  from: OwnNumber
  instructions: Instructions
  callback: StatusCallback | null
}

/** An active number of the account, as calls show it. */
export type OwnNumber = { id: string; number: string }

/** A client's own mark of an order, so that an order sent again is not a second one; `hash` is of all that was ordered. */
export type Idempotency = { key: string; hash: string }

/** What became of an order: a call in the queue, the one that the same order has made before, or none, since the key was
 * used for something else or no trunk leads there (Twilio error 13224). */
export type Ordered =
  | { kind: 'ordered' | 'ordered before'; callId: string }
  | { kind: 'key used' }
  | { kind: 'no trunk' }

/** Stores a call in the queue of the trunk that is chosen for it, with the reasons of the choice; one at most for an
 * idempotency key, whatever the number of requests at the same moment. */
export async function orderCall(
  { db }: Platform,
  account: Account,
  order: CallOrder,
  idempotency: Idempotency | null,
): Promise<Ordered> {
  const { trunks, steps } = isSipUri(order.to)
    ? { trunks: [], steps: [] }
    : await chooseTrunks(db, account, order.to)
  const [trunk] = trunks
  if (trunk === undefined && !isSipUri(order.to)) return { kind: 'no trunk' }
  const call = {
    ...toRow(account, order),
    sipTrunkId: trunk?.id ?? null,
    routeSteps: steps.map(({ carrierId: _, ...step }) => step),
  }
  const stored = await db.transaction(async (tx) => {
    await tx.insert(phoneCalls).values(call)
    if (idempotency !== null && !(await takeKey(tx, account.id, idempotency, call.id))) {
      await tx.delete(phoneCalls).where(eq(phoneCalls.id, call.id))
      return false
    }
    await wakeCallWork(tx, 'queue')
    return true
  })
  if (stored) noteInLog({ callId: call.id })
  if (stored || idempotency === null) return { kind: 'ordered', callId: call.id }
  return (await orderedBefore(db, account.id, idempotency)) ?? { kind: 'key used' }
}

/** What an idempotency key was used for before, or null when it is new. */
export async function orderedBefore(
  db: Db,
  accountId: string,
  { key, hash }: Idempotency,
): Promise<Ordered | null> {
  const [used] = await db
    .select({ callId: idempotencyKeys.callId, hash: idempotencyKeys.requestHash })
    .from(idempotencyKeys)
    .where(and(eq(idempotencyKeys.accountId, accountId), eq(idempotencyKeys.key, key)))
  if (used === undefined) return null
  return used.hash === hash ? { kind: 'ordered before', callId: used.callId } : { kind: 'key used' }
}

/** An account's active number by its digits, or null when it has no such number. */
export async function ownNumber(
  db: Db,
  { id, carrierId }: Pick<Account, 'id' | 'carrierId'>,
  digits: string,
): Promise<{ id: string } | null> {
  const [own] = await rows<{ id: string }>(
    db,
    sql`SELECT id FROM incoming_phone_numbers
      WHERE carrier_id = ${carrierId}::uuid AND number_tail = right(${digits}::text, 6) AND status = 'active'
        AND number = ${digits}::text AND account_id = ${id}::uuid`,
  )
  return own ?? null
}

// Another request with the key waits here until this one is through.
async function takeKey(
  tx: Db,
  accountId: string,
  { key, hash }: Idempotency,
  callId: string,
): Promise<boolean> {
  const taken = await tx
    .insert(idempotencyKeys)
    .values({ accountId, key, requestHash: hash, callId })
    .onConflictDoNothing()
    .returning({ key: idempotencyKeys.key })
  return taken.length > 0
}

const toRow = (account: Account, { to, from, instructions, callback }: CallOrder) => ({
  id: randomUUID(),
  carrierId: account.carrierId,
  accountId: account.id,
  incomingPhoneNumberId: from.id,
  direction: 'outbound-api' as const,
  status: 'queued' as const,
  from: from.number,
  to,
  channelUuid: randomUUID(),
  instructions,
  statusCallbackUrl: callback?.url ?? null,
  statusCallbackMethod: callback?.method ?? null,
  statusCallbackEvents: callback === null ? null : [...callback.events],
})
