import { advance } from '../calls/progress.ts'
import { giveUpRecordings } from '../calls/recordings.ts'
import type { Reachable } from '../outbound/recover.ts'
import type { Platform, Switches } from '../platform.ts'
import { createFarewell, endLost } from './farewell.ts'
import { abandonedChannels, expectedChannels, staleQueuedCalls } from './queries.ts'

/** Ends the calls whose channels are gone without a word, so that no trunk's channel is ever lost: compares with the
 * channels that each switch really has. Gives up the recordings whose files never came, too. */
export type Sweep = (switches: Switches, reachable: Reachable) => Promise<void>

/** A sweep that is to be run again and again: what is missing twice in a row is gone. In between its last words, by event
 * or CDR, have had time to come. `goneFor`: see farewell.ts. */
export function createSweep(platform: Platform, goneFor: number): Sweep {
  const bidFarewell = createFarewell(platform, goneFor)
  let missingBefore = new Map<string, Date>()
  return async (switches, reachable) => {
    const missing = new Map<string, Date>()
    const held = new Set(switches.views().flatMap(({ id, held }) => (held ? [id] : [])))
    for (const [name, { id }] of reachable) {
      if (!held.has(id)) continue
      for (const channelUuid of await missingAt(platform, switches, name, id))
        missing.set(channelUuid, missingBefore.get(channelUuid) ?? new Date())
    }
    for (const [channelUuid, since] of missing)
      if (missingBefore.has(channelUuid)) await endLost(platform, channelUuid, since, noLonger)
    missingBefore = missing
    await bidFarewell(switches, reachable)
    await endStale(platform)
    await giveUpRecordings(platform)
  }
}

const noLonger = 'its switch does not have its channel any more'

// The calls are asked for first: a channel that ends in between is missing, one that begins is not expected.
async function missingAt({ db }: Platform, switches: Switches, name: string, id: string): Promise<string[]> {
  const expected = await expectedChannels(db, name)
  if (expected.length === 0) return []
  const channels = await switches.liveChannels(id)
  return channels === null ? [] : expected.filter((channelUuid) => !channels.has(channelUuid))
}

async function endStale(platform: Platform): Promise<void> {
  const { db } = platform
  const at = new Date()
  for (const channelUuid of await abandonedChannels(db))
    await endLost(platform, channelUuid, at, 'it is older than any call can be')
  for (const { id } of await staleQueuedCalls(db))
    await advance(db, { id }, { end: { at, cause: 'ORIGINATOR_CANCEL', sipStatus: null } })
}
