import type { Db } from '../db/connect.ts'
import type { Commands } from '../event-socket/commands.ts'
import {
  forgetRegistrar,
  notTaken,
  readState,
  recordFinding,
  recordNextTry,
  recordVersion,
} from './gateway-truth.ts'
import type { SwitchOfRegion } from './hold.ts'
import { claimGateway, releaseGateway, type TakeOver, wishedVersion } from './placement.ts'

/** What the reconciler of a switch works with; `mayAct` turns false when another process may watch the switch. */
export type Tools = {
  db: Db
  self: SwitchOfRegion
  commands: Commands
  mayAct(): boolean
  takeOver(): TakeOver
}

/** The gateways of one switch, and which of them are being deleted: by us, or by somebody else before us. */
export type Gateways = Tools & { deletions: Map<string, (heard: boolean) => void>; dying: Set<string> }

const deletionMs = 10_000
const pollMs = 1000

/** The gateways of the switch that the commands reach. */
export const createGateways = (tools: Tools): Gateways => ({
  ...tools,
  deletions: new Map(),
  dying: new Set(),
})

/** Makes the switch run the gateway of a trunk as the tables wish it now; gives the problem when it could not. */
export async function settleGateway(gateways: Gateways, trunkId: string): Promise<string | null> {
  const { db, self, commands, mayAct } = gateways
  const wished = await wish(gateways, trunkId)
  const running = await commands.gatewayVersion(trunkId)
  if (running.kind !== 'done') return running.problem
  if (wished !== null && running.value === wished) {
    const { changed } = await recordVersion(db, self, trunkId, wished)
    if (changed) await hearRegistrarAnew(gateways, trunkId)
    await lookAtGateway(gateways, trunkId)
    return null
  }
  // Before the switch says so itself, no call is to be sent to it (lookup.ts).
  if (running.value !== null) await recordFinding(db, self, trunkId, { kind: 'unregistering' })
  const problem = await stop(gateways, trunkId)
  if (problem !== null) return problem
  if (wished !== null) return mayAct() ? start(gateways, trunkId) : null
  await releaseGateway(db, self, trunkId)
  return null
}

/** Writes down what a gateway says of itself when it is asked; one that fails for a reason that nobody has heard has to
 * try again at once. */
export async function lookAtGateway(gateways: Gateways, trunkId: string): Promise<void> {
  const { db, self, commands } = gateways
  const status = await commands.gatewayStatus(trunkId)
  if (status.kind !== 'done' || status.value === null) return
  const finding = readState(status.value)
  const untold = finding !== null && (await recordFinding(db, self, trunkId, finding))
  if (untold) await commands.registerGateway(trunkId)
  else if (status.value.retrySeconds !== null)
    await recordNextTry(db, self, trunkId, status.value.retrySeconds)
}

/** Hears that the switch has deleted a gateway. */
export function noticeDeletion({ dying, deletions }: Gateways, trunkId: string): void {
  dying.delete(trunkId)
  deletions.get(trunkId)?.(true)
}

async function wish({ db, self, takeOver }: Gateways, trunkId: string): Promise<number | null> {
  const wished = await wishedVersion(db, self, trunkId)
  if (wished !== null) return wished
  await claimGateway(db, self, trunkId, takeOver())
  return wishedVersion(db, self, trunkId)
}

// The switch has started another version by itself, whose registrar may have answered before that was known here.
async function hearRegistrarAnew({ db, self, commands }: Gateways, trunkId: string): Promise<void> {
  await forgetRegistrar(db, self, trunkId)
  await commands.registerGateway(trunkId)
}

// The deletion has to be waited for: started any earlier, the old gateway's un-REGISTER takes the new one's contact
// away from the registrar (freeswitch.md 2.4).
async function stop(gateways: Gateways, trunkId: string): Promise<string | null> {
  const { commands, deletions, dying } = gateways
  const deleted = hearDeletion(gateways, trunkId)
  const killed = await commands.killGateway(trunkId)
  if (killed.kind === 'done' && (await deleted)) return null
  deletions.get(trunkId)?.(false)
  if (killed.kind === 'lost') return killed.problem
  if (killed.kind === 'refused' && !dying.delete(trunkId)) return null
  return (await isGone(commands, trunkId)) ? null : 'the switch has not deleted its old gateway'
}

function hearDeletion({ deletions }: Gateways, trunkId: string): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (heard: boolean) => {
      clearTimeout(timer)
      deletions.delete(trunkId)
      resolve(heard)
    }
    const timer = setTimeout(() => settle(false), deletionMs)
    deletions.set(trunkId, settle)
  })
}

async function isGone(commands: Commands, trunkId: string): Promise<boolean> {
  for (let left = deletionMs / pollMs; left > 0; left--) {
    const listed = await commands.listGateways()
    if (listed.kind === 'lost') return false
    if (listed.kind === 'done' && ![...listed.value.up, ...listed.value.down].includes(trunkId)) return true
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
  return false
}

// The switch fetches the gateway from any server; what it then runs may be newer than what was wished a moment ago.
async function start({ db, self, commands }: Gateways, trunkId: string): Promise<string | null> {
  await forgetRegistrar(db, self, trunkId)
  const started = await commands.startGateway(trunkId)
  const running = started.kind === 'done' ? await commands.gatewayVersion(trunkId) : started
  if (running.kind !== 'done' || running.value === null) {
    const problem = running.kind === 'done' ? 'it is not among those that a server gave it' : running.problem
    await recordFinding(db, self, trunkId, notTaken(problem))
    return problem
  }
  const { saved } = await recordVersion(db, self, trunkId, running.value)
  return running.value === saved ? null : 'its trunk was changed meanwhile'
}
