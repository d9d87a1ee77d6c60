import { sql } from 'drizzle-orm'
import { dueChannel } from '../calls/due-queries.ts'
import { rows } from '../db/connect.ts'
import type { SwitchEvent } from '../event-socket/event.ts'
import { fulfilWishes } from '../outbound/fulfil.ts'
import { restMilliseconds } from '../outbound/queries.ts'
import { createLanes } from '../outbound/queue.ts'
import { type Reachable, recoverUnclear } from '../outbound/recover.ts'
import type { Platform, Switches } from '../platform.ts'
import { hearChannel } from './events.ts'
import { createSweep } from './sweep.ts'

/** How often the work looks by itself, and after how long a switch that is not seen is gone, in milliseconds. */
export type WorkPace = { look: number; sweep: number; goneFor: number }

const usualPace: WorkPace = { look: 1000, sweep: 10_000, goneFor: 300_000 }

/** What a server process does for calls without being asked: it places queued ones, settles those that a dead process left,
 * tells switches what the API wants, takes in what switches tell, and ends calls whose channels are gone. Woken by every
 * process's changes and by the clock, until stopped. Without switches there is nothing to do. */
export async function startCallWork(
  platform: Platform,
  pace: Partial<WorkPace> = {},
): Promise<() => Promise<void>> {
  const { switches, log } = platform
  if (switches === undefined) return async () => {}
  const { look, sweep: sweepMs, goneFor } = { ...usualPace, ...pace }
  const failed = (err: unknown) => log.error({ err }, 'Calls could not be looked after')
  const lanes = createLanes(platform, switches)
  const sweep = createSweep(platform, goneFor)
  const queues = createRounds(lanes.serve, failed)
  const wishes = createRounds(
    async () => fulfilWishes(platform, await reachableBy(platform, switches)),
    failed,
  )
  const looks = createRounds(async () => {
    const reachable = await reachableBy(platform, switches)
    await recoverUnclear(platform, reachable, lanes.placeAgain)
    await fulfilWishes(platform, reachable)
    await lanes.serve()
  }, failed)
  const sweeps = createRounds(async () => sweep(switches, await reachableBy(platform, switches)), failed)
  switches.onChannelEvent((event, switchName) => hear(platform, switches, event, switchName))
  const unlisten = await platform.database.listen(dueChannel, (work) => {
    if (work === 'wish') return wishes.wake()
    queues.wake()
    // A channel that has just become free may be taken then.
    setTimeout(queues.wake, restMilliseconds + 10).unref()
  })
  const clocks = [setInterval(looks.wake, look), setInterval(sweeps.wake, sweepMs)]
  looks.wake()
  return async () => {
    for (const clock of clocks) clearInterval(clock)
    await unlisten()
    await Promise.all([lanes, queues, wishes, looks, sweeps].map((part) => part.stop()))
  }
}

async function hear(platform: Platform, switches: Switches, event: SwitchEvent, switchName: string) {
  const { hangUp } = await hearChannel(platform, event)
  if (hangUp === null) return
  const reachable = await reachableBy(platform, switches)
  await reachable.get(switchName)?.commands.hangUp(hangUp)
}

async function reachableBy({ db }: Platform, switches: Switches): Promise<Reachable> {
  const named = await rows<{ id: string; name: string }>(
    db,
    sql`SELECT id, name FROM switches WHERE name IS NOT NULL`,
  )
  const reached = named.flatMap(({ id, name }) => {
    const commands = switches.commands(id)
    return commands === null ? [] : [[name, { id, commands }] as const]
  })
  return new Map(reached)
}

// One round at a time; being woken during one makes one more, whatever the number of times.
function createRounds(round: () => Promise<void>, failed: (error: unknown) => void) {
  let woken = false
  let stopped = false
  let running: Promise<void> | null = null
  const run = async () => {
    while (woken && !stopped) {
      woken = false
      await round().catch(failed)
    }
    running = null
  }
  return {
    wake: () => {
      woken = true
      if (!stopped) running ??= run()
    },
    stop: async () => {
      stopped = true
      await running
    },
  }
}
