import type { Commands } from '../event-socket/commands.ts'
import type { Platform } from '../platform.ts'
import { tellPlaced } from './place.ts'
import { type TakenCall, takeUnclear } from './queries.ts'

/** The switches that this process reaches now, by their own names. */
export type Reachable = ReadonlyMap<string, { id: string; commands: Commands }>

// A process that dies between taking a call and hearing that a switch has the order leaves a call of which nobody knows
// whether it was placed. Its channel's UUID was stored before and is the UUID of the originate. The switch is asked: it
// has the channel, or remembers that it began to call on it (the note is made by the originate itself, so there is no
// moment between the two), and then the call was placed; else it was not, and is placed now, under the same UUID. The
// switch itself refuses a second channel of that UUID.

/** Settles the calls whose placing has not become clear in time. `placeAgain` places one that the switch knows nothing of. */
export async function recoverUnclear(
  platform: Platform,
  reachable: Reachable,
  placeAgain: (call: TakenCall, commands: Commands) => Promise<void>,
): Promise<void> {
  for (;;) {
    const call = await takeUnclear(platform.db, [...reachable.keys()])
    const commands = call === null ? undefined : reachable.get(call.switchName)?.commands
    if (call === null || commands === undefined) return
    const placed = await wasPlaced(commands, call.channelUuid)
    if (placed === null) return
    platform.log.warn({ callId: call.id, placed }, 'A call was left unclear by the process that placed it')
    if (placed) await tellPlaced(platform, call)
    else await placeAgain(call, commands)
  }
}

// Null: the switch does not answer now. One that cannot tell (it has no mod_hash) is not asked to call a second time.
async function wasPlaced(commands: Commands, channelUuid: string): Promise<boolean | null> {
  const exists = await commands.channelExists(channelUuid)
  const noted = await commands.wasPlaced(channelUuid)
  if (exists.kind === 'lost' || noted.kind === 'lost') return null
  const known = (told: typeof exists) => told.kind !== 'done' || told.value
  return known(exists) || known(noted)
}
