import { type Commands, createCommands } from '../event-socket/commands.ts'
import { EventSocket, type Patience, type SwitchAddress } from '../event-socket/connection.ts'
import { eventNames, type SwitchEvent } from '../event-socket/event.ts'
import type { Platform, SwitchView } from '../platform.ts'
import { dropHold, lookAround, namesakes, type SwitchOfRegion, takeHold } from './hold.ts'
import { createReconciler } from './reconcile.ts'

/** How often a process looks after its switches, in milliseconds. */
export type Pace = {
  /** Between two renewals of the hold. */
  tick: number
  /** Between two comparisons of everything. */
  check: number
  /** A hold that could not be renewed for so long is taken for lost; well below what ends it for others. */
  heldFor: number
}

/** One switch, as one process looks after it. */
export type Watch = {
  commands(): Commands | null
  view(): SwitchView
  trunkChanged(trunkId: string): void
  /** Fulfilled when everything heard so far is taken in and no gateway is being changed. */
  idle(): Promise<void>
  stop(): Promise<void>
}

type Heard = (event: SwitchEvent, switchName: string) => Promise<void>

const mostUnread = 20_000

/** Connects to a switch and, while this process holds it, reconciles it and takes in what it tells. */
export function startWatch(
  platform: Platform,
  self: SwitchOfRegion,
  address: SwitchAddress,
  holder: string,
  heard: Heard,
  pace: Pace,
  patience: Partial<Patience>,
): Watch {
  const { db, log } = platform
  let name = ''
  let heldUntil = 0
  let surroundings = ''
  let lastCheck = 0
  let turn: Promise<void> | null = null
  let check: Promise<void> | null = null
  let trouble = false
  const held = () => socket.isUp && performance.now() < heldUntil

  const socket = new EventSocket(
    address,
    {
      up: (switchName) => {
        name = switchName
        surroundings = ''
        log.info({ switch: self.id, name }, 'Switch connected')
        tickSoon()
      },
      down: (problem) => {
        log.warn({ switch: self.id, problem }, 'Switch not reached')
        tickSoon()
      },
      event: (event) => {
        if (!held()) return
        reconciler.notice(event)
        if (isOfChannel(event)) ofChannels.add(() => heard(event, name))
        else ofGateways.add(() => reconciler.hear(event))
      },
    },
    patience,
  )
  const commands = createCommands(socket)
  const reconciler = createReconciler({ db, self, commands, mayAct: held }, log)
  const failed = (err: unknown) =>
    log.error({ err, switch: self.id }, 'What a switch told could not be taken in')
  const ofChannels = createInbox(failed)
  const ofGateways = createInbox(failed)

  const tick = async () => {
    try {
      await renew()
      const now = await lookAround(db, self.region)
      trouble = false
      if (!held() || check !== null) return
      if (now === surroundings && performance.now() < lastCheck + pace.check) return
      surroundings = now
      lastCheck = performance.now()
      check = checkAll()
    } catch (err) {
      if (!trouble) log.error({ err, switch: self.id }, 'A switch cannot be looked after')
      trouble = true
    }
  }
  // Beside the ticks: with very many gateways it takes longer than the hold lasts.
  const checkAll = async () => {
    try {
      await reconciler.checkAll()
    } catch (err) {
      surroundings = ''
      log.error({ err, switch: self.id }, 'A switch could not be compared with what it is to run')
    } finally {
      check = null
    }
  }
  const renew = async () => {
    const before = held()
    const asked = performance.now()
    if (!socket.isUp) {
      if (heldUntil > 0) await dropHold(db, self.id, holder)
      heldUntil = 0
    } else if (await takeHold(db, self.id, holder, name)) heldUntil = asked + pace.heldFor
    else heldUntil = 0
    if (held() !== before) await (held() ? begin() : end())
  }
  const begin = async () => {
    log.info({ switch: self.id, name }, 'Watching the switch')
    const others = await namesakes(db, self.id, name)
    if (others.length > 0)
      log.error(
        { switch: self.id, name, others },
        'Switches have the same name: give each a SWITCH_NAME of its own',
      )
    surroundings = ''
    await socket.subscribe(eventNames)
  }
  const end = async () => {
    log.info({ switch: self.id }, 'No longer watching the switch')
    reconciler.stop()
    await socket.subscribe([])
  }
  const tickSoon = () => {
    turn ??= tick().finally(() => {
      turn = null
    })
  }
  const timer = setInterval(tickSoon, pace.tick)
  socket.open()

  return {
    commands: () => (socket.isUp ? commands : null),
    view: () => {
      const { id, region } = self
      return { id, region, up: socket.isUp, problem: socket.isUp ? null : socket.problem, held: held() }
    },
    trunkChanged: (trunkId) => {
      if (held()) reconciler.trunkChanged(trunkId)
    },
    idle: async () => {
      await turn
      await Promise.all([check, ofGateways.empty(), ofChannels.empty()])
      await reconciler.idle()
    },
    stop: async () => {
      clearInterval(timer)
      reconciler.stop()
      const had = heldUntil > 0
      heldUntil = 0
      await socket.close()
      await Promise.all([turn, check, ofGateways.empty(), ofChannels.empty()])
      if (had) await dropHold(db, self.id, holder).catch(failed)
    },
  }
}

const channelKinds = ['channel-progress', 'channel-answered', 'channel-ended', 'recording-stopped']

const isOfChannel = ({ kind }: SwitchEvent): boolean => channelKinds.includes(kind)

// Does one thing after the other, in order. What comes while far too much waits is dropped: the next comparison of
// everything, and the CDRs, say the same again.
function createInbox(failed: (err: unknown) => void) {
  let last: Promise<void> = Promise.resolve()
  let unread = 0
  return {
    add: (deed: () => Promise<void>) => {
      if (unread >= mostUnread) return failed(new Error(`More than ${mostUnread} events wait.`))
      unread++
      last = last
        .then(deed)
        .catch(failed)
        .then(() => {
          unread--
        })
    },
    empty: () => last,
  }
}
