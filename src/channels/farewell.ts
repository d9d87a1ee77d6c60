import { advance, type CallEnd } from '../calls/progress.ts'
import type { LiveChannels } from '../event-socket/status.ts'
import type { Reachable } from '../outbound/recover.ts'
import type { Platform, Switches } from '../platform.ts'
import { callsOfTheGone } from './queries.ts'

// Looks are ten seconds apart; in a longer break (the database was away, the process stood still) nobody has looked.
const longestBreak = 60_000

/** Ends the calls of switches that are gone, also of one that is in REGIONS_FILE no longer: not seen for five minutes, in
 * all of which (`goneFor` milliseconds) this process has looked. To be run again and again. */
export function createFarewell(platform: Platform, goneFor: number) {
  let lookingSince = 0
  let lastLook = Number.NEGATIVE_INFINITY
  return async (switches: Switches, reachable: Reachable): Promise<void> => {
    if (!platform.env.EVENT_SOCKET) return
    const calls = await callsOfTheGone(platform.db)
    const now = performance.now()
    if (now - lastLook > longestBreak) lookingSince = now
    lastLook = now
    if (now - lookingSince < goneFor) return
    for (const name of new Set(calls.map(({ switchName }) => switchName))) {
      const channels = await channelsAt(switches, reachable.get(name)?.id)
      for (const { switchName, channelUuid, at } of calls)
        if (switchName === name && channels?.has(channelUuid) === false)
          await endLost(platform, channelUuid, at, 'its switch is gone')
    }
  }
}

// One that answers although nobody holds it, because its SIP profile does not run, is asked; null: it does not tell.
async function channelsAt(switches: Switches, id: string | undefined): Promise<LiveChannels | null> {
  return id === undefined ? new Map() : switches.liveChannels(id)
}

/** Ends a call whose channel is lost; its CDR may still tell better. */
export async function endLost(
  { db, log }: Platform,
  channelUuid: string,
  at: Date,
  why: string,
): Promise<void> {
  const end: CallEnd = { at, cause: 'CHANNEL_LOST', sipStatus: null, assumed: true }
  const call = await advance(db, { channelUuid }, { end })
  log.warn({ callId: call?.id, channelUuid, why }, 'A call was ended: its channel is lost')
}
