import { setTimeout as pause } from 'node:timers/promises'
import { wakeCallWork } from '../calls/due-queries.ts'
import { advance } from '../calls/progress.ts'
import type { Commands, Originated, Result } from '../event-socket/commands.ts'
import type { Platform } from '../platform.ts'
import { ringSecondsOf, toLeg, type Way } from './placed-leg.ts'
import { giveBack, type TakenCall } from './queries.ts'

/** Has a switch place a call that was taken from the queue. Done when the switch has said that it has the order, so that
 * calls reach it in the order in which they are handed to this; what becomes of the call follows by itself. False when the
 * switch was not reached: the call is in the queue again. */
export async function place(
  platform: Platform,
  commands: Commands,
  call: TakenCall,
  way: Way,
): Promise<boolean> {
  if (call.instructions.wish === 'hang up') return end(platform, call, cancelled)
  if (!call.allowed) return end(platform, call, barred)
  const leg = toLeg(call, way)
  if (leg === null) return end(platform, call, { cause: 'NO_ROUTE_DESTINATION', sipStatus: 404 })
  let accept = () => {}
  const accepted = new Promise<'accepted'>((resolve) => {
    accept = () => resolve('accepted')
  })
  const originating = commands
    .originate(leg, call.id, ringSecondsOf(call) + 30, () => accept())
    .catch((error: Error) => ({ kind: 'refused' as const, problem: error.message }))
  const first = await Promise.race([accepted, originating])
  if (first !== 'accepted') return settleUnaccepted(platform, call, first)
  await tellPlaced(platform, call)
  follow(platform, commands, call, originating).catch((error) =>
    platform.log.error({ err: error, callId: call.id }, 'What became of a call could not be taken in'),
  )
  return true
}

const cancelled = { cause: 'ORIGINATOR_CANCEL', sipStatus: 487 }
// What an account ordered before it was disabled, or before it gave up the number that the call shows.
const barred = { cause: 'OUTGOING_CALL_BARRED', sipStatus: 403 }

/** Notes that a switch has the order to place a call. What the API wanted of it meanwhile can be told now. */
export async function tellPlaced({ db }: Platform, { channelUuid }: TakenCall): Promise<void> {
  const moved = await advance(db, { channelUuid }, {})
  if (moved?.instructions.wish) await wakeCallWork(db, 'wish')
}

/** Ends a call that cannot be placed. */
export async function end(
  { db }: Platform,
  { channelUuid }: TakenCall,
  why: { cause: string; sipStatus: number | null; assumed?: boolean },
): Promise<true> {
  await advance(db, { channelUuid }, { end: { ...why, at: new Date() } })
  return true
}

// What may have reached the switch stays taken until the switch can be asked (recover.ts).
async function settleUnaccepted(
  platform: Platform,
  call: TakenCall,
  result: Result<Originated>,
): Promise<boolean> {
  if (result.kind !== 'lost') {
    platform.log.error({ callId: call.id, result }, 'A switch refused to place a call')
    return end(platform, call, { cause: causeOf(result), sipStatus: null })
  }
  if (!result.sent) await giveBack(platform.db, call.id, 1)
  return false
}

// A channel tells its own end by event and CDR, with more than the job knows; only an originate that never had one (its
// gateway is down) has nobody else to tell it. Should the word of a channel be lost, the job's is better than none.
const wordMilliseconds = 4000

async function follow(
  platform: Platform,
  commands: Commands,
  call: TakenCall,
  originating: Promise<Result<Originated>>,
): Promise<void> {
  const result = await originating
  if (result.kind === 'lost') return
  if (result.kind === 'refused' || result.value.kind === 'failed') {
    const placed = await commands.wasPlaced(call.channelUuid)
    const hadChannel = placed.kind !== 'done' || placed.value
    if (hadChannel) await pause(wordMilliseconds, undefined, { ref: false })
    await end(platform, call, { cause: causeOf(result), sipStatus: null, assumed: hadChannel })
  }
  await commands.forgetPlaced(call.channelUuid)
}

const causeOf = (result: Exclude<Result<Originated>, { kind: 'lost' }>) =>
  result.kind === 'done' && result.value.kind === 'failed' ? result.value.cause : 'NORMAL_UNSPECIFIED'
