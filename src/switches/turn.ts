import { eventNames } from '../event-socket/event.ts'
import { dropHold, lookAround, namesakes, takeHold } from './hold.ts'
import type { TakeOver } from './placement.ts'
import { checkAll } from './reconcile.ts'
import type { Watch } from './watch.ts'

/** Whether this process is the one that watches the switch, and reaches it. */
export const holds = ({ socket, heldUntil }: Watch): boolean => socket.isUp && performance.now() < heldUntil

/** From which switches this process may take gateways now. */
export const takeOver = ({ lastLook, lookingSince, pace }: Watch): TakeOver =>
  lastLook - lookingSince >= pace.goneFor ? 'from the gone' : 'from nobody'

/** What a process does every second for a switch: it takes or renews the hold, and compares everything when that is due. */
export async function lookAfter(watch: Watch): Promise<void> {
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
    noteProblem(watch, await checkAll(watch.reconciler))
    if (watch.problem !== null) watch.surroundings = ''
  } catch (err) {
    watch.surroundings = ''
    watch.log.error({ err }, 'A switch could not be compared with what it is to run')
  } finally {
    watch.check = null
  }
}

async function renew(watch: Watch): Promise<void> {
  const { platform, self, holder, pace } = watch
  const before = holds(watch)
  const able = await isAble(watch, before)
  const asked = performance.now()
  if (able) {
    const taken = await takeHold(platform.db, self.id, holder, watch.name)
    watch.heldUntil = taken ? asked + pace.heldFor : 0
    watch.isSecond = !taken
  } else {
    if (watch.heldUntil > 0) await dropHold(platform.db, self.id, holder)
    watch.heldUntil = 0
  }
  if (holds(watch) !== before) await (before ? endHold(watch) : beginHold(watch))
}

// One whose event socket answers while its SIP profile does not run, as in its first moments, would fail every call. The
// list may be long: who only waits for the hold of another does not ask for it every second.
async function isAble(watch: Watch, held: boolean): Promise<boolean> {
  if (!watch.socket.isUp) return false
  if (watch.problem === null && (held || watch.isSecond)) return true
  const listed = await watch.commands.listGateways()
  noteProblem(watch, listed.kind === 'done' ? null : listed.problem)
  return watch.problem === null
}

function noteProblem(watch: Watch, problem: string | null): void {
  if (problem !== null && problem !== watch.problem)
    watch.log.warn({ problem }, 'The SIP profile of a switch does not answer')
  watch.problem = problem
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
