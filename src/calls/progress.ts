import type { Db } from '../db/connect.ts'
import type { CallEvent } from '../webhooks/webhook.ts'
import { type CallStatus, isOver } from './call.ts'
import { report } from './callbacks.ts'
import { charge } from './charge.ts'
import { wakeQueueOf } from './due-queries.ts'
import { nextTrunk, putBack } from './failover.ts'
import { finalStatus, sipStatusOf } from './hangup-cause.ts'
import {
  legsLeftRinging,
  legsUnheard,
  lockCall,
  type MovingCall,
  type UnansweredLeg,
  updateCall,
  type Which,
} from './progress-queries.ts'

// The one place where a call's state changes and its customer is told. Whatever is heard of a call (events, CDRs, fetches
// of the answered call, the outcome of an originate, the API) moves it forward only: what comes twice or late changes
// nothing, and what was not heard in time is made up for by the next thing that is.

/** What is known of a call by now; whoever knows of a later thing says what he knows of the earlier ones too. Even nothing
 * says that a switch has taken the order to place it. */
export type Progress = {
  ringingAt?: Date | null
  answeredAt?: Date | null
  end?: CallEnd
}

/** How a call ended. */
export type CallEnd = {
  at: Date
  /** FreeSWITCH's hangup cause. */
  cause: string
  sipStatus: number | null
  /** That is not the channel's own word: the truth may still come with its CDR. */
  assumed?: boolean
  /** FreeSWITCH's own count of answered seconds (`billsec`). */
  answeredSeconds?: number | null
}

/** Moves a call as far forward as what is known of it and reports each step that its customer wants to hear of, in one
 * transaction. Gives the call as it then is; null when there is none (a challenged first try, a scanner). */
export const advance = (db: Db, which: Which, progress: Progress): Promise<MovingCall | null> =>
  db.transaction((tx) => advanceWithin(tx, which, progress))

/** The same within a transaction of the caller's. */
export async function advanceWithin(tx: Db, which: Which, progress: Progress): Promise<MovingCall | null> {
  const call = await lockCall(tx, which)
  if (call === null) return null
  if (isOver(call.status)) return learn(tx, call, progress)
  const next = await nextTrunk(tx, call, progress)
  const moved = await take(tx, call, next === null ? progress : {})
  if (next !== null) await putBack(tx, moved, next)
  return moved
}

/** Ends legs that nobody has answered although their Dial is over, with the cause that it gave, if it came to that: those
 * that never became a channel get neither an event nor a CDR. */
export async function endLegs(tx: Db, legs: readonly UnansweredLeg[]): Promise<void> {
  for (const { id, endsAs } of legs) {
    const end = { at: new Date(), cause: endsAs ?? 'ORIGINATOR_CANCEL', sipStatus: null, assumed: true }
    await advanceWithin(tx, { id }, { end })
  }
}

/** Ends legs that ring although their call is over. One that is a channel tells its own end, a moment after its call does:
 * it may have been answered, and nobody have heard of that. */
export async function endLegsLeftRinging(db: Db): Promise<void> {
  for (const leg of await legsLeftRinging(db)) await db.transaction((tx) => endLegs(tx, [leg]))
}

/** A step of a call: the event that customers know it by, and when it was taken. */
export type Step = { event: CallEvent; status: CallStatus; at: Date }

async function take(tx: Db, call: MovingCall, progress: Progress): Promise<MovingCall> {
  const steps = stepsAhead(call, progress)
  if (steps.length === 0 && call.placingUntil === null) return call
  const moved = { ...call, ...changeBy(call, progress), status: steps.at(-1)?.status ?? call.status }
  const callbackSequence = await report(tx, moved, steps)
  await updateCall(tx, { ...moved, callbackSequence })
  if (progress.end) {
    if (!progress.end.assumed) await charge(tx, call.id)
    if (call.parentCallId === null) await endLegs(tx, await legsUnheard(tx, call.id))
    await wakeQueueOf(tx, call.sipTrunkId)
  }
  return { ...moved, callbackSequence }
}

function stepsAhead(call: MovingCall, progress: Progress): Step[] {
  const { ringingAt, answeredAt, end } = progress
  const before = (status: CallStatus) => order.indexOf(call.status) < order.indexOf(status)
  const initiated = isUnreported(call) ? step('initiated', 'initiated', call.startedAt ?? new Date()) : []
  const ringing = ringingAt && before('ringing') ? step('ringing', 'ringing', ringingAt) : []
  const answered = answeredAt && before('in-progress') ? step('answered', 'in-progress', answeredAt) : []
  const over = end ? step('completed', finalStatus(endingOf(call, progress), call.direction), end.at) : []
  return [...initiated, ...ringing, ...answered, ...over]
}

const step = (event: CallEvent, status: CallStatus, at: Date): Step[] => [{ event, status, at }]
const order: readonly CallStatus[] = ['queued', 'initiated', 'ringing', 'in-progress']

// What was taken from the queue is reported when a switch has it, since it may have to go back. On a second trunk it was
// reported before.
const isUnreported = ({ placingUntil, callbackSequence }: MovingCall) =>
  placingUntil !== null && callbackSequence === 0

function changeBy(call: MovingCall, progress: Progress): Partial<MovingCall> {
  const { ringingAt, answeredAt, end } = progress
  const change = {
    placingUntil: null,
    ringingAt: call.ringingAt ?? ringingAt ?? null,
    answeredAt: call.answeredAt ?? answeredAt ?? null,
  }
  return end ? { ...change, ...changeByEnd(call, progress, end) } : change
}

// At the end the switch's own time of the answer counts.
function changeByEnd(call: MovingCall, progress: Progress, end: CallEnd): Partial<MovingCall> {
  const answeredAt = progress.answeredAt ?? call.answeredAt
  return {
    answeredAt,
    endedAt: end.at,
    duration: answeredAt === null ? 0 : (end.answeredSeconds ?? secondsBetween(answeredAt, end.at)),
    hangupCause: end.assumed ? null : end.cause,
    sipResponseCode: sipStatusOf(endingOf(call, progress)),
    dueAt: null,
    chargeDueAt: end.assumed ? new Date(Date.now() + patienceMilliseconds) : null,
  }
}

// How long a call whose end is assumed waits for its CDR before it is charged as it is.
const patienceMilliseconds = 3_600_000

const endingOf = (call: MovingCall, { answeredAt, end }: Progress) => ({
  answered: (answeredAt ?? call.answeredAt) !== null,
  cause: end?.cause ?? '',
  sipStatus: end?.sipStatus ?? null,
})

const secondsBetween = (from: Date, to: Date) =>
  Math.max(0, Math.floor((to.getTime() - from.getTime()) / 1000))

// A call that was ended on an assumption learns the truth from the CDR that comes late, and is charged by it unless it has a
// price. Its customer has been told and is not told again.
async function learn(tx: Db, call: MovingCall, progress: Progress): Promise<MovingCall> {
  const { end } = progress
  if (!end || end.assumed || call.hangupCause !== null) return call
  const status = finalStatus(endingOf(call, progress), call.direction)
  const learnt = { ...call, ...changeByEnd(call, progress, end), status }
  await updateCall(tx, learnt)
  await charge(tx, call.id)
  return learnt
}
