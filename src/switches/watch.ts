import { type Commands, createCommands } from '../event-socket/commands.ts'
import { EventSocket, type Patience, type SwitchAddress } from '../event-socket/connection.ts'
import { eventNames, type SwitchEvent } from '../event-socket/event.ts'
import type { Logger } from '../log.ts'
import type { Platform, SwitchView } from '../platform.ts'
import { dropHold, lookAround, namesakes, type SwitchOfRegion, takeHold } from './hold.ts'
import { createInbox, type Inbox } from './inbox.ts'
import type { TakeOver } from './placement.ts'
import { checkAll, createReconciler, hear, notice, type Reconciler } from './reconcile.ts'

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
  /** Why the last comparison could not be made. */
  problem: string | null
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
    ...{ ofGateways: createInbox(failed), ofChannels: createInbox(failed) },
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
    },
  }
  socket.open()
  return watch
}

/** Whether this process is the one that watches the switch, and reaches it. */
export const holds = ({ socket, heldUntil }: Watch): boolean => socket.isUp && performance.now() < heldUntil

const takeOver = ({ lastLook, lookingSince, pace }: Watch): TakeOver =>
  lastLook - lookingSince >= pace.goneFor ? 'from the gone' : 'from nobody'

/** The switch as this process sees it. */
export function viewOf(watch: Watch): SwitchView {
  const { self, socket } = watch
  return { ...self, up: socket.isUp, problem: socket.isUp ? null : socket.problem, held: holds(watch) }
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
  tick(watch)
}

function disconnected(watch: Watch, problem: string): void {
  watch.log.warn({ problem }, 'Switch not reached')
  tick(watch)
}

const channelKinds = ['channel-progress', 'channel-answered', 'channel-ended', 'recording-stopped']

function takeIn(watch: Watch, event: SwitchEvent): void {
  if (!holds(watch)) return
  const { reconciler, ofChannels, ofGateways, name } = watch
  notice(reconciler, event)
  if (channelKinds.includes(event.kind)) ofChannels.add(() => watch.heard(event, name))
  else ofGateways.add(() => hear(reconciler, event))
}

function tick(watch: Watch): void {
  watch.turn ??= lookAfter(watch).finally(() => {
    watch.turn = null
  })
}

async function lookAfter(watch: Watch): Promise<void> {
  const { platform, self, pace, log } = watch
  try {
    await renew(watch)
    const alive = await lookAround(platform.db, self.region)
    noteLook(watch)
    const now = `${alive}, taking ${takeOver(watch)}`
    watch.trouble = false
    const due = now !== watch.surroundings || performance.now() > watch.lastCheck + pace.check
    if (!holds(watch) || !due || watch.check !== null) return
    watch.surroundings = now
    watch.lastCheck = performance.now()
    watch.check = compare(watch)
  } catch (err) {
    if (!watch.trouble) log.error({ err }, 'A switch cannot be looked after')
    watch.trouble = true
  }
}

function noteLook(watch: Watch): void {
  const now = performance.now()
  if (now - watch.lastLook > watch.pace.heldFor) watch.lookingSince = now
  watch.lastLook = now
}

// Beside the ticks: with very many gateways it takes longer than the hold lasts. What failed is done again at the next.
async function compare(watch: Watch): Promise<void> {
  try {
    const problem = await checkAll(watch.reconciler)
    if (problem !== null && problem !== watch.problem)
      watch.log.warn({ problem }, 'A switch cannot be compared with what it is to run')
    if (problem !== null) watch.surroundings = ''
    watch.problem = problem
  } catch (err) {
    watch.surroundings = ''
    watch.log.error({ err }, 'A switch could not be compared with what it is to run')
  } finally {
    watch.check = null
  }
}

async function renew(watch: Watch): Promise<void> {
  const { platform, self, holder, socket, pace } = watch
  const before = holds(watch)
  const asked = performance.now()
  if (socket.isUp) {
    const taken = await takeHold(platform.db, self.id, holder, watch.name)
    watch.heldUntil = taken ? asked + pace.heldFor : 0
  } else {
    if (watch.heldUntil > 0) await dropHold(platform.db, self.id, holder)
    watch.heldUntil = 0
  }
  if (holds(watch) !== before) await (before ? endHold(watch) : beginHold(watch))
}

async function beginHold(watch: Watch): Promise<void> {
  const { platform, self, name, log } = watch
  log.info({ name }, 'Watching the switch')
  const others = await namesakes(platform.db, self.id, name)
  if (others.length > 0)
    log.error({ name, others }, 'Switches have the same name: give each a SWITCH_NAME of its own')
  watch.surroundings = ''
  await watch.socket.subscribe(eventNames)
}

async function endHold({ log, reconciler, socket }: Watch): Promise<void> {
  log.info('No longer watching the switch')
  reconciler.trunks.clear()
  await socket.subscribe([])
}
