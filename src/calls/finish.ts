import { and, eq, isNull, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { cdrs, phoneCalls } from '../db/schema.ts'
import type { CallDirection } from './call.ts'
import { finalStatus, sipStatusOf } from './hangup-cause.ts'

/** How a channel lived, from its CDR or its hangup event. */
export type ChannelLife = {
  channelUuid: string
  switchName: string
  startedAt: Date | null
  ringingAt: Date | null
  answeredAt: Date | null
  endedAt: Date | null
  /** FreeSWITCH's own count of answered seconds (`billsec`). */
  answeredSeconds: number | null
  cause: string
  sipStatus: number | null
}

/** A CDR: the channel's life and the whole record as it was posted. */
export type ChannelRecord = ChannelLife & { record: Record<string, unknown> }

/** Stores a CDR, once whatever number of times it comes, and ends its call if that has not happened yet. */
export async function receiveCdr(db: Db, cdr: ChannelRecord): Promise<void> {
  await db.transaction(async (tx) => {
    const call = await endCall(tx, cdr)
    await tx
      .insert(cdrs)
      .values({ channelUuid: cdr.channelUuid, callId: call?.id ?? null, record: cdr.record })
      .onConflictDoNothing()
  })
}

/** A call that a channel's end has ended. */
export type EndedCall = { id: string; ended: boolean }

/** Ends the call of a channel, by event or CDR, whichever is first: what came first stays, what it did not know is added.
 * Null when the channel is no call of ours (a challenged first try, a scanner). */
export async function endCall(db: Db, life: ChannelLife): Promise<EndedCall | null> {
  const [call] = await db
    .select({ id: phoneCalls.id, direction: phoneCalls.direction, endedAt: phoneCalls.endedAt })
    .from(phoneCalls)
    .where(eq(phoneCalls.channelUuid, life.channelUuid))
    .for('no key update')
  if (!call) return null
  if (call.endedAt !== null) {
    await complete(db, call.id, life)
    return { id: call.id, ended: false }
  }
  await db
    .update(phoneCalls)
    .set(ending(life, call.direction))
    .where(and(eq(phoneCalls.id, call.id), isNull(phoneCalls.endedAt)))
  return { id: call.id, ended: true }
}

/** Ends the legs of a call that are still open although its Dial is over: those that never became a channel get neither
 * an event nor a CDR. A leg that did is completed by its own CDR, whenever that comes. */
export async function endUnanswered(db: Db, parentId: string, disposition: string): Promise<void> {
  const end = { answered: false, cause: disposition, sipStatus: null }
  await db
    .update(phoneCalls)
    .set({
      status: disposition === 'SUCCESS' ? 'canceled' : finalStatus(end, 'outbound-dial'),
      duration: 0,
      endedAt: new Date(),
      updatedAt: new Date(),
    })
    .where(
      and(eq(phoneCalls.parentCallId, parentId), isNull(phoneCalls.endedAt), isNull(phoneCalls.answeredAt)),
    )
}

function ending(life: ChannelLife, direction: CallDirection) {
  const end = { answered: life.answeredAt !== null, cause: life.cause, sipStatus: life.sipStatus }
  const endedAt = life.endedAt ?? new Date()
  return {
    status: finalStatus(end, direction),
    sipResponseCode: sipStatusOf(end),
    hangupCause: life.cause,
    duration:
      life.answeredAt === null ? 0 : (life.answeredSeconds ?? secondsBetween(life.answeredAt, endedAt)),
    answeredAt: life.answeredAt,
    ringingAt: sql`coalesce(${phoneCalls.ringingAt}, ${life.ringingAt?.toISOString() ?? null}::timestamptz)`,
    endedAt,
    switchName: sql`coalesce(${phoneCalls.switchName}, nullif(${life.switchName}, ''))`,
    updatedAt: new Date(),
  }
}

const secondsBetween = (from: Date, to: Date) =>
  Math.max(0, Math.floor((to.getTime() - from.getTime()) / 1000))

// A call that was ended without its channel's own word (its switch lost it) learns it from the late CDR.
async function complete(db: Db, id: string, life: ChannelLife): Promise<void> {
  await rows(
    db,
    sql`UPDATE phone_calls SET
      sip_response_code = coalesce(sip_response_code, ${life.sipStatus}::integer),
      hangup_cause = coalesce(hangup_cause, ${life.cause}::text)
    WHERE id = ${id}::uuid AND (sip_response_code IS NULL OR hangup_cause IS NULL)`,
  )
}
