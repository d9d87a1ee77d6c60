import { advance } from '../calls/progress.ts'
import { dropWish, postponeWish, takeWish, type WishedCall } from '../calls/wish-queries.ts'
import type { Commands, Result } from '../event-socket/commands.ts'
import type { Platform } from '../platform.ts'
import type { Reachable } from './recover.ts'

/** Tells the switches what the API wants of running calls (control.ts). What does not reach its switch stays due. */
export async function fulfilWishes(platform: Platform, reachable: Reachable): Promise<void> {
  for (;;) {
    const call = await takeWish(platform.db, [...reachable.keys()])
    const commands = call === null ? undefined : reachable.get(call.switchName)?.commands
    if (call === null || commands === undefined) return
    await fulfil(platform, commands, call)
  }
}

async function fulfil({ db, log }: Platform, commands: Commands, call: WishedCall): Promise<void> {
  const told = await tell(commands, call)
  if (told.kind === 'lost') return
  // A call that was told to come back has done so when it does (steps/next-part.ts): what it left is then put in order.
  if (told.kind === 'done' && call.wish === 'come back') return
  if (told.kind === 'done') return isBeginning(call) ? postponeWish(db, call, 2000) : dropWish(db, call)
  if (call.young) return postponeWish(db, call, 200)
  log.info(
    { callId: call.id, wish: call.wish, problem: told.problem },
    'A call is not at its switch any more',
  )
  if (call.wish === 'hang up' && !call.answered) await endMissing(db, call)
  else await dropWish(db, call)
}

// What a call begins with (steps/next-part.ts) sets the limit that it was ordered with, and may be on its way to the switch:
// a new one is set once more behind it.
const isBeginning = ({ wish, newLimitSeconds, secondsLeft }: WishedCall): boolean =>
  wish === 'end in time' && (newLimitSeconds ?? 0) - (secondsLeft ?? 0) < 3

function tell(commands: Commands, call: WishedCall): Promise<Result<null>> {
  switch (call.wish) {
    case 'hang up':
      return commands.hangUp(call.channelUuid, causeFor(call))
    case 'come back':
      return commands.comeBack(call.channelUuid, call.id)
    case 'end in time':
      return commands.hangUpAfter(call.channelUuid, call.secondsLeft ?? 1)
  }
}

// freeswitch.md 7: the cause that makes a call that was not answered a cancelled one.
const causeFor = ({ answered, direction }: Pick<WishedCall, 'answered' | 'direction'>) =>
  answered || direction === 'inbound' ? 'NORMAL_CLEARING' : 'ORIGINATOR_CANCEL'

const endMissing = (db: Platform['db'], call: WishedCall) =>
  advance(
    db,
    { id: call.id },
    { end: { at: new Date(), cause: causeFor(call), sipStatus: null, assumed: true } },
  )
