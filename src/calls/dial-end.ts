import { setTimeout as pause } from 'node:timers/promises'
import { toSid } from '../accounts/account.ts'
import type { Platform } from '../platform.ts'
import type { RunningCall } from './call.ts'
import { joinedLeg, noteDialOver } from './leg-queries.ts'
import { endLegs } from './progress.ts'

/** Waits until the end of the leg that a Dial joined is known, for half a second at most: FreeSWITCH may tell it a moment
 * after it asks us what comes next, and the action is to be told the seconds that the record says. */
export async function joinedLegOver({ db }: Platform, parentId: string, channelUuid: string): Promise<void> {
  for (let looks = 0; looks < mostLooks; looks++) {
    const leg = await joinedLeg(db, parentId, channelUuid)
    if (leg === null || leg.over) return
    await pause(millisecondsBetweenLooks)
  }
}

const mostLooks = 10
const millisecondsBetweenLooks = 50

/** How a Dial ended, for its action: FreeSWITCH's disposition, and the leg that was joined. */
export async function dialOutcome(
  platform: Platform,
  call: RunningCall,
  disposition: string,
  joinedUuid: string | null,
) {
  const joined = disposition === 'SUCCESS' ? await joinedLeg(platform.db, call.id, joinedUuid) : null
  const cause = disposition === 'SUCCESS' ? 'LOSE_RACE' : disposition
  await endRestOfLegs(platform, call, cause, joined && joinedUuid)
  if (joined === null) return { disposition }
  return { disposition, callSid: toSid('CA', joined.id), seconds: joined.seconds }
}

/** Ends the legs of a Dial that is over, as far as they are still open a little later, when those that became a channel
 * have had time to tell their own end; at the latest they end with the call. */
export async function endRestOfLegs(
  { db, log }: Platform,
  call: Pick<RunningCall, 'id'>,
  cause: string,
  joinedUuid: string | null = null,
): Promise<void> {
  const rest = await noteDialOver(db, call.id, cause, joinedUuid)
  if (rest.length === 0) return
  setTimeout(() => {
    db.transaction((tx) => endLegs(tx, rest)).catch((error) =>
      log.error({ err: error, callId: call.id }, 'The legs of a Dial could not be ended'),
    )
  }, lateMilliseconds).unref()
}

const lateMilliseconds = 1500
