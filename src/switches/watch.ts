import { type Commands, createCommands } from '../event-socket/commands.ts'
import { EventSocket, type Patience, type SwitchAddress } from '../event-socket/connection.ts'
import type { SwitchEvent } from '../event-socket/event.ts'
import type { Logger } from '../log.ts'
import type { Platform, SwitchView } from '../platform.ts'
import { dropHold, type SwitchOfRegion } from './hold.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { createReconciler, hear, notice, type Reconciler } from './reconcile.ts'
import { holds, lookAfter, takeOver } from './turn.ts'

/** How often a process looks after its switches, in milliseconds. */
export type Pace = {
  /** Between two renewals of the hold. */
  tick: number
  /** Between two comparisons of everything. */
  check: number
  /** A hold that could not be renewed for so long is taken for lost; well below what ends it for others. */
  heldFor: number
  /** A switch that was not seen for so long, by a process that looked for it all the time, is gone. */
  goneFor: number
}

/** Which switch to look after, and how. `holder` names this process; `heard` takes the events of channels. */
export type Watched = {
  self: SwitchOfRegion
  address: SwitchAddress
  holder: string
  heard(event: SwitchEvent, switchName: string): Promise<void>
  pace: Pace
  patience: Partial<Patience>
}

/** One switch, as one process looks after it. */
export type Watch = Watched & {
  platform: Platform
  log: Logger
  socket: EventSocket
  commands: Commands
  reconciler: Reconciler
  ofGateways: Inbox
  ofChannels: Inbox
  timer: NodeJS.Timeout
  /** Its own name. */
  name: string
  /** On the clock of `performance.now()`. */
  heldUntil: number
  lastCheck: number
  /** When it last knew of the region's switches, and since when without a break. */
  lastLook: number
  lookingSince: number
  /** What was known of the region's switches when everything was last compared; empty when it has to be again. */
  surroundings: string
  turn: Promise<void> | null
  check: Promise<void> | null
  trouble: boolean
  /** What it says instead of naming its gateways. */
  problem: string | null
  /** Another process has the hold. */
  isSecond: boolean
}

/** Connects to a switch and, while this process holds it, reconciles it and takes in what it tells. */
export function startWatch(platform: Platform, watched: Watched): Watch {
  const log = platform.log.child({ switch: watched.self.id })
  const failed = (err: unknown) => log.error({ err }, 'What a switch told could not be taken in')
  const listener = {
    up: (name: string) => connected(watch, name),
    down: (problem: string) => disconnected(watch, problem),
    event: (event: SwitchEvent) => takeIn(watch, event),
  }
  const socket = new EventSocket(watched.address, listener, watched.patience)
  const commands = createCommands(socket)
  const tools = {
    ...{ db: platform.db, self: watched.self, commands },
    ...{ mayAct: () => holds(watch), takeOver: () => takeOver(watch) },
  }
  const watch: Watch = {
    ...watched,
    ...{ platform, log, socket, commands, reconciler: createReconciler(tools, log) },
    ...{ ofGateways: createInbox(1, failed), ofChannels: createInbox(channelLanes, failed) },
    timer: setInterval(() => tick(watch), watched.pace.tick),
    ...{
      name: '',
      heldUntil: 0,
      lastCheck: 0,
      lastLook: Number.NEGATIVE_INFINITY,
      lookingSince: 0,
      surroundings: '',
      turn: null,
      check: null,
      trouble: false,
      problem: null,
      isSecond: false,
    },
  }
  socket.open()
  return watch
}

/** The switch as this process sees it. */
export function viewOf(watch: Watch): SwitchView {
  const { self, socket } = watch
  const problem = socket.isUp ? watch.problem : socket.problem
  return { ...self, up: socket.isUp, problem, held: holds(watch) }
}

/** A trunk was changed by any process. */
export function trunkChanged(watch: Watch, trunkId: string): void {
  if (holds(watch)) watch.reconciler.trunks.push(trunkId)
}

/** Some trunks may have been changed without a word: everything is compared at the next turn. */
export function changesMissed(watch: Watch): void {
  watch.surroundings = ''
}

/** Fulfilled when everything heard so far is taken in and no gateway is being changed. */
export async function idle({ turn, check, ofGateways, ofChannels, reconciler }: Watch): Promise<void> {
  await Promise.all([turn, check])
  await Promise.all([ofGateways.empty(), ofChannels.empty()])
  await reconciler.trunks.idle()
}

/** Ends the connection and gives the hold up. */
export async function stopWatch(watch: Watch): Promise<void> {
  const { platform, self, holder, socket, reconciler, ofGateways, ofChannels } = watch
  clearInterval(watch.timer)
  reconciler.trunks.clear()
  const had = watch.heldUntil > 0
  watch.heldUntil = 0
  await socket.close()
  await Promise.all([watch.turn, watch.check, ofGateways.empty(), ofChannels.empty()])
  if (had)
    await dropHold(platform.db, self.id, holder).catch((err) =>
      watch.log.error({ err }, 'A switch could not be given up'),
    )
}

function connected(watch: Watch, name: string): void {
  watch.log.info({ name }, 'Switch connected')
  watch.name = name
  watch.surroundings = ''
  watch.isSecond = false
  tick(watch)
}

function disconnected(watch: Watch, problem: string): void {
  watch.log.warn({ problem }, 'Switch not reached')
  tick(watch)
}

// Of the ten connections to the database (db/connect.ts) some are left for those who ask.
const channelLanes = 4

function takeIn(watch: Watch, event: SwitchEvent): void {
  if (!holds(watch)) return
  const { reconciler, ofChannels, ofGateways, name } = watch
  notice(reconciler, event)
  if ('channelUuid' in event) ofChannels.add(event.channelUuid, () => watch.heard(event, name))
  else ofGateways.add('gateways', () => hear(reconciler, event))
}

function tick(watch: Watch): void {
  watch.turn ??= lookAfter(watch).finally(() => {
    watch.turn = null
  })
}
