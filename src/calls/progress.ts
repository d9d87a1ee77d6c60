import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { phoneCalls } from '../db/schema.ts'
import type { CallEvent } from '../webhooks/webhook.ts'
import { type CallStatus, type Instructions, isOver } from './call.ts'
import { report } from './callbacks.ts'
import { charge } from './charge.ts'
import { nextTrunk, putBack, wakeQueueOf } from './failover.ts'
import { finalStatus, sipStatusOf } from './hangup-cause.ts'

// The one place where a call's state changes and its customer is told. Whatever is heard of a call (events, CDRs, fetches
// of the answered call, the outcome of an originate, the API) moves it forward only: what comes twice or late changes
// nothing, and what was not heard in time is made up for by the next thing that is.

/** What is known of a call by now; whoever knows of a later thing says what he knows of the earlier ones too. Nothing at
 * all still says that a switch has taken the order to place it. */
export type Progress = {
  ringingAt?: Date | null
  answeredAt?: Date | null
  end?: CallEnd
}

/** How a call ended. */
export type CallEnd = {
  at: Date
  /** FreeSWITCH's hangup cause; null when nobody heard it. */
  cause: string | null
  sipStatus: number | null
  /** FreeSWITCH's own count of answered seconds (`billsec`). */
  answeredSeconds?: number | null
  switchName?: string
}

/** The call that is meant: by its id, or by its channel's UUID. */
export type Which = { id: string } | { channelUuid: string }

/** Moves a call as far forward as what is known of it and reports each step that its customer wants to hear of, in one
 * transaction. Gives the call as it then is; null when there is none (a challenged first try, a scanner). */
export async function advance(db: Db, which: Which, progress: Progress): Promise<Call | null> {
  return db.transaction(async (tx) => {
    const call = await lock(tx, which)
    if (call === null) return null
    if (isOver(call.status)) return learnEnding(tx, call, progress)
    const next = await nextTrunk(tx, call, progress)
    const moved = await take(tx, call, next === null ? progress : {})
    if (next !== null) await putBack(tx, moved, next)
    return moved
  })
}

/** Ends the legs of a call that nobody has answered although its Dial is over, with the cause that it gave: those that
 * never became a channel get neither an event nor a CDR. */
export async function endLegs(db: Db, parentId: string, cause: string): Promise<void> {
  const open = await db
    .select({ id: phoneCalls.id })
    .from(phoneCalls)
    .where(
      and(eq(phoneCalls.parentCallId, parentId), isNull(phoneCalls.endedAt), isNull(phoneCalls.answeredAt)),
    )
    .orderBy(phoneCalls.seq)
  for (const { id } of open) await advance(db, { id }, { end: { at: new Date(), cause, sipStatus: null } })
}

const columns = {
  id: phoneCalls.id,
  carrierId: phoneCalls.carrierId,
  accountId: phoneCalls.accountId,
  sipTrunkId: phoneCalls.sipTrunkId,
  parentCallId: phoneCalls.parentCallId,
  direction: phoneCalls.direction,
  status: phoneCalls.status,
  from: phoneCalls.from,
  to: phoneCalls.to,
  instructions: sql<Instructions>`${phoneCalls.instructions}`,
  routeSteps: phoneCalls.routeSteps,
  statusCallbackUrl: phoneCalls.statusCallbackUrl,
  statusCallbackMethod: phoneCalls.statusCallbackMethod,
  statusCallbackEvents: phoneCalls.statusCallbackEvents,
  callbackSequence: phoneCalls.callbackSequence,
  placingUntil: phoneCalls.placingUntil,
  startedAt: phoneCalls.startedAt,
  ringingAt: phoneCalls.ringingAt,
  answeredAt: phoneCalls.answeredAt,
  endedAt: phoneCalls.endedAt,
  switchName: phoneCalls.switchName,
  hangupCause: phoneCalls.hangupCause,
  sipResponseCode: phoneCalls.sipResponseCode,
  duration: phoneCalls.duration,
}

/** A call as far as its progress concerns it. */
export type Call = Omit<NonNullable<Awaited<ReturnType<typeof lock>>>, never>

async function lock(tx: Db, which: Which) {
  const condition =
    'id' in which ? eq(phoneCalls.id, which.id) : eq(phoneCalls.channelUuid, which.channelUuid)
  const [call] = await tx.select(columns).from(phoneCalls).where(condition).for('no key update')
  return call ?? null
}

/** A step of a call, the event that customers know it by, and when it was taken. */
export type Step = { event: CallEvent; status: CallStatus; at: Date }

async function take(tx: Db, call: Call, progress: Progress): Promise<Call> {
  const steps = stepsAhead(call, progress)
  const change = { ...changeBy(call, progress), status: steps.at(-1)?.status ?? call.status }
  if (steps.length === 0 && call.placingUntil === null) return call
  const moved = { ...call, ...change }
  const callbackSequence = await report(tx, moved, steps)
  await tx
    .update(phoneCalls)
    .set({ ...change, callbackSequence, updatedAt: new Date() })
    .where(eq(phoneCalls.id, call.id))
  if (progress.end) await settle(tx, moved)
  return { ...moved, callbackSequence }
}

function stepsAhead(call: Call, { ringingAt, answeredAt, end }: Progress): Step[] {
  const reached = order.indexOf(call.status)
  const steps: Step[] = []
  if (isUnreported(call)) steps.push({ event: 'initiated', status: 'initiated', at: call.startedAt ?? new Date() })
  if (ringingAt && reached < order.indexOf('ringing'))
    steps.push({ event: 'ringing', status: 'ringing', at: ringingAt })
  if (answeredAt && reached < order.indexOf('in-progress'))
    steps.push({ event: 'answered', status: 'in-progress', at: answeredAt })
  if (end) steps.push({ event: 'completed', status: finalStatus(asEnding(call, { answeredAt, end }), call.direction), at: end.at })
  return steps
}

const order: readonly CallStatus[] = ['queued', 'initiated', 'ringing', 'in-progress']

// What was taken from the queue is reported when a switch has it, since it may have to go back. Tried on a second trunk
// it has been reported before: then something has.
const isUnreported = ({ placingUntil, callbackSequence }: Call) =>
  placingUntil !== null && callbackSequence === 0
