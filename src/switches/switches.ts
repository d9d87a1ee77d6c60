import { randomUUID } from 'node:crypto'
import type { Patience } from '../event-socket/connection.ts'
import type { SwitchEvent } from '../event-socket/event.ts'
import type { Platform, Switches } from '../platform.ts'
import { announceSwitches, goneSeconds, switchesOf } from './hold.ts'
import {
  changesMissed,
  idle,
  type Pace,
  startWatch,
  stopWatch,
  trunkChanged,
  viewOf,
  type Watch,
} from './watch.ts'

/** `Switches` with what only tests ask. */
export type StartedSwitches = Switches & { idle(): Promise<void> }

type Handler = (event: SwitchEvent, switchName: string) => Promise<void>

const usualPace: Pace = { tick: 1000, check: 60_000, heldFor: 4500, goneFor: 1000 * goneSeconds }

/** Connects to every switch of REGIONS_FILE, unless EVENT_SOCKET is off, and looks after those that no other process
 * does. A switch that is not reached is tried for ever; what must reach it waits in the tables. */
export async function startSwitches(
  platform: Platform,
  pace: Partial<Pace> = {},
  patience: Partial<Patience> = {},
): Promise<StartedSwitches> {
  const { db, database, env, log } = platform
  await announceSwitches(db, switchesOf(env.regions))
  if (!env.EVENT_SOCKET) log.info('EVENT_SOCKET is off: no switch is contacted')
  const handlers: Handler[] = []
  const watches = env.EVENT_SOCKET ? watchAll(platform, handlers, { ...usualPace, ...pace }, patience) : []
  const unlisten = await database.listen(
    'trunk_changed',
    (trunkId) => {
      for (const watch of watches) trunkChanged(watch, trunkId)
    },
    () => {
      for (const watch of watches) changesMissed(watch)
    },
  )
  const reached = (switchId: string) =>
    watches.find(({ self, socket }) => self.id === switchId && socket.isUp)?.commands ?? null
  return {
    commands: reached,
    liveChannels: async (switchId) => {
      const told = await reached(switchId)?.channels()
      return told?.kind === 'done' ? told.value : null
    },
    onChannelEvent: (handler) => {
      handlers.push(handler)
    },
    views: () => watches.map(viewOf),
    idle: async () => {
      await Promise.all(watches.map(idle))
    },
    stop: async () => {
      await unlisten()
      await Promise.all(watches.map(stopWatch))
    },
  }
}

function watchAll(
  platform: Platform,
  handlers: readonly Handler[],
  pace: Pace,
  patience: Partial<Patience>,
): Watch[] {
  const holder = randomUUID()
  const heard: Handler = async (event, switchName) => {
    for (const handler of handlers) await handler(event, switchName)
  }
  return platform.env.regions.flatMap(({ alias, switches }) =>
    switches.map((address) => {
      const self = { id: `${address.host}:${address.port}`, region: alias }
      return startWatch(platform, { self, address, holder, heard, pace, patience })
    }),
  )
}
