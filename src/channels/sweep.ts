import { chargeAssumed } from '../calls/charge.ts'
import { advance, endLegsLeftRinging } from '../calls/progress.ts'
import { giveUpRecordings } from '../calls/recordings.ts'
import type { Commands } from '../event-socket/commands.ts'
import type { Reachable } from '../outbound/recover.ts'
import type { Platform, Switches } from '../platform.ts'
import { strangerHungUp } from './events.ts'
import { createFarewell, endLost } from './farewell.ts'
import { abandonedChannels, channelsOfNobody, expectedChannels, staleQueuedCalls } from './queries.ts'

/** Ends the calls whose channels are gone without a word, so that no trunk's channel is ever lost, and the answered
 * channels that are nobody's: compares with those that each switch really has. Charges what nothing more is heard of, and
 * gives up the recordings whose files never came, too. */
export type Sweep = (switches: Switches, reachable: Reachable) => Promise<void>

/** A sweep that is to be run again and again: what is missing twice in a row is gone. In between its last words, by event
 * or CDR, have had time to come. `goneFor`: see farewell.ts. */
export function createSweep(platform: Platform, goneFor: number): Sweep {
  const bidFarewell = createFarewell(platform, goneFor)
  let missingBefore = new Map<string, Date>()
  let strangersBefore = new Set<string>()
  return async (switches, reachable) => {
    const missing = new Map<string, Date>()
    const strangers = new Set<string>()
    const held = new Set(switches.views().flatMap(({ id, held }) => (held ? [id] : [])))
    for (const [name, { id, commands }] of reachable) {
      if (!held.has(id)) continue
      const odd = await oddAt(platform, switches, name, id)
      for (const channelUuid of odd.missing)
        missing.set(channelUuid, missingBefore.get(channelUuid) ?? new Date())
      for (const channelUuid of odd.strangers) {
        strangers.add(channelUuid)
        if (strangersBefore.has(channelUuid)) await hangUpStranger(platform, commands, channelUuid)
      }
    }
    for (const [channelUuid, since] of missing)
      if (missingBefore.has(channelUuid)) await endLost(platform, channelUuid, since, noLonger)
    missingBefore = missing
    strangersBefore = strangers
    await bidFarewell(switches, reachable)
    await endLegsLeftRinging(platform.db)
    await endStale(platform)
    await chargeAssumed(platform.db)
    await giveUpRecordings(platform)
  }
}

const noLonger = 'its switch does not have its channel any more'

type Odd = { missing: string[]; strangers: string[] }

// What a switch lacks of the calls it is to have, and what it has answered that is none of them. The calls are asked for
// first: a channel that ends in between is missing, one that begins is not expected.
async function oddAt({ db }: Platform, switches: Switches, name: string, id: string): Promise<Odd> {
  const expected = new Set(await expectedChannels(db, name))
  const channels = await switches.liveChannels(id)
  if (channels === null) return { missing: [], strangers: [] }
  const others = [...channels].flatMap(([channelUuid, { answeredInbound }]) =>
    answeredInbound && !expected.has(channelUuid) ? [channelUuid] : [],
  )
  return {
    missing: [...expected].filter((channelUuid) => !channels.has(channelUuid)),
    strangers: await channelsOfNobody(db, others),
  }
}

// The word that it was answered is lost, if it is still there.
async function hangUpStranger({ log }: Platform, commands: Commands, channelUuid: string): Promise<void> {
  log.warn({ channelUuid }, strangerHungUp)
  await commands.hangUp(channelUuid)
}

async function endStale(platform: Platform): Promise<void> {
  const { db } = platform
  const at = new Date()
  for (const channelUuid of await abandonedChannels(db))
    await endLost(platform, channelUuid, at, 'it is older than any call can be')
  for (const { id } of await staleQueuedCalls(db))
    await advance(db, { id }, { end: { at, cause: 'ORIGINATOR_CANCEL', sipStatus: null } })
}
