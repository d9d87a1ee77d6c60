import { eq, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { phoneCalls } from '../db/schema.ts'
import type { Instructions } from './call.ts'

/** The call that is meant: by its id, or by its channel's UUID. */
export type Which = { id: string } | { channelUuid: string }

const columns = {
  id: phoneCalls.id,
  carrierId: phoneCalls.carrierId,
  accountId: phoneCalls.accountId,
  sipTrunkId: phoneCalls.sipTrunkId,
  parentCallId: phoneCalls.parentCallId,
  direction: phoneCalls.direction,
  channelUuid: phoneCalls.channelUuid,
  status: phoneCalls.status,
  from: phoneCalls.from,
  to: phoneCalls.to,
  instructions: sql<Instructions>`${phoneCalls.instructions}`,
  step: phoneCalls.step,
  statusCallbackUrl: phoneCalls.statusCallbackUrl,
  statusCallbackMethod: phoneCalls.statusCallbackMethod,
  statusCallbackEvents: phoneCalls.statusCallbackEvents,
  callbackSequence: phoneCalls.callbackSequence,
  dueAt: phoneCalls.dueAt,
  placingUntil: phoneCalls.placingUntil,
  startedAt: phoneCalls.startedAt,
  ringingAt: phoneCalls.ringingAt,
  answeredAt: phoneCalls.answeredAt,
  endedAt: phoneCalls.endedAt,
  duration: phoneCalls.duration,
  hangupCause: phoneCalls.hangupCause,
  sipResponseCode: phoneCalls.sipResponseCode,
  chargeDueAt: phoneCalls.chargeDueAt,
}

/** A call as far as its progress concerns it. */
export type MovingCall = NonNullable<Awaited<ReturnType<typeof lockCall>>>

/** A call that nobody else changes until the transaction ends; null when there is none. */
export async function lockCall(tx: Db, which: Which) {
  const condition =
    'id' in which ? eq(phoneCalls.id, which.id) : eq(phoneCalls.channelUuid, which.channelUuid)
  const [call] = await tx.select(columns).from(phoneCalls).where(condition).for('no key update')
  return call ?? null
}

/** Stores what progress has changed of a call. */
export async function updateCall(tx: Db, call: MovingCall): Promise<void> {
  const { id, status, callbackSequence, dueAt, placingUntil, ringingAt, answeredAt, endedAt } = call
  const { duration, hangupCause, sipResponseCode, chargeDueAt } = call
  await tx
    .update(phoneCalls)
    .set({
      ...{ status, callbackSequence, dueAt, placingUntil, ringingAt, answeredAt, endedAt },
      ...{ duration, hangupCause, sipResponseCode, chargeDueAt, updatedAt: sql`now()` },
      ...(endedAt === null ? {} : { instructions: sql`${phoneCalls.instructions} - 'cookies'` }),
    })
    .where(eq(phoneCalls.id, id))
}

/** A leg that nobody has answered, and the cause of its end where its Dial has one already. */
export type UnansweredLeg = { id: string; endsAs: string | null }

/** Legs of a call that were neither answered nor ended, in the order in which they were dialled; but for those that ring,
 * which are channels. */
export const legsUnheard = (db: Db, parentId: string): Promise<UnansweredLeg[]> =>
  rows(
    db,
    sql`SELECT id, instructions->>'endsAs' AS "endsAs" FROM phone_calls
      WHERE parent_call_id = ${parentId}::uuid AND ended_at IS NULL AND answered_at IS NULL AND ringing_at IS NULL
      ORDER BY seq`,
  )

const lateSeconds = 3

/** Legs that ring although their call has been over for some seconds: the word of their end, or of their answer, is lost. */
export const legsLeftRinging = (db: Db): Promise<UnansweredLeg[]> =>
  rows(
    db,
    sql`SELECT leg.id, leg.instructions->>'endsAs' AS "endsAs" FROM phone_calls leg
      JOIN phone_calls parent ON parent.id = leg.parent_call_id
      WHERE leg.status = 'ringing' AND leg.direction = 'outbound-dial'
        AND parent.ended_at IS NOT NULL AND parent.updated_at < now() - ${lateSeconds}::integer * interval '1 second'
      LIMIT 500`,
  )
