import { randomUUID } from 'node:crypto'
import type { Patience } from '../event-socket/connection.ts'
import type { SwitchEvent } from '../event-socket/event.ts'
import type { Platform, Switches } from '../platform.ts'
import { announceSwitches, switchesOf } from './hold.ts'
import { type Pace, startWatch } from './watch.ts'

/** `Switches` with what only tests ask. */
export type StartedSwitches = Switches & { idle(): Promise<void> }

const usualPace: Pace = { tick: 1000, check: 60_000, heldFor: 4500 }

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
  const handlers: ((event: SwitchEvent, switchName: string) => Promise<void>)[] = []
  const holder = randomUUID()
  const heard = async (event: SwitchEvent, switchName: string) => {
    for (const handler of handlers) await handler(event, switchName)
  }
  const addresses = env.EVENT_SOCKET
    ? env.regions.flatMap(({ alias, switches }) => switches.map((address) => ({ region: alias, address })))
    : []
  const watches = addresses.map(({ region, address }) =>
    startWatch(
      platform,
      { id: `${address.host}:${address.port}`, region },
      address,
      holder,
      heard,
      { ...usualPace, ...pace },
      patience,
    ),
  )
  const unlisten = await database.listen('trunk_changed', (trunkId) => {
    for (const watch of watches) watch.trunkChanged(trunkId)
  })
  const of = (switchId: string) => watches.find((watch) => watch.view().id === switchId)
  return {
    commands: (switchId) => of(switchId)?.commands() ?? null,
    liveChannels: async (switchId) => {
      const told = await of(switchId)?.commands()?.channels()
      return told?.kind === 'done' ? told.value : null
    },
    onChannelEvent: (handler) => {
      handlers.push(handler)
    },
    views: () => watches.map((watch) => watch.view()),
    idle: async () => {
      await Promise.all(watches.map((watch) => watch.idle()))
    },
    stop: async () => {
      await unlisten()
      await Promise.all(watches.map((watch) => watch.stop()))
    },
  }
}
