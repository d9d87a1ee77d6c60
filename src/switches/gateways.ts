import type { Db } from '../db/connect.ts'
import type { Commands } from '../event-socket/commands.ts'
import { notTaken, readState, recordFinding, recordNextTry, recordVersion } from './gateway-truth.ts'
import type { SwitchOfRegion } from './hold.ts'
import { claimGateway, releaseGateway, wishedVersion } from './placement.ts'

/** What the reconciler of a switch works with; `mayAct` turns false when another process may watch the switch. */
export type Tools = { db: Db; self: SwitchOfRegion; commands: Commands; mayAct(): boolean }

/** The gateways of one switch, one at a time. */
export type Gateways = {
  /** Makes the switch run the gateway of a trunk as the tables wish it now; gives the problem when it could not. */
  settle(trunkId: string): Promise<string | null>
  /** Writes down what a gateway says of itself when it is asked. */
  lookAt(trunkId: string): Promise<void>
  /** Hears that the switch has deleted a gateway. */
  deleted(trunkId: string): void
  /** Learns that a gateway is being deleted by somebody else. */
  dying(trunkId: string): void
}

const deletionMs = 10_000
const pollMs = 1000

/** The gateways of the switch that the commands reach. */
export function createGateways({ db, self, commands, mayAct }: Tools): Gateways {
  const waiting = new Map<string, () => void>()
  const dying = new Set<string>()

  const settle = async (trunkId: string): Promise<string | null> => {
    const wished = await wish(trunkId)
    const running = await commands.gatewayVersion(trunkId)
    if (running.kind !== 'done') return running.problem
    if (wished !== null && running.value === wished) {
      await recordVersion(db, self, trunkId, wished)
      await lookAt(trunkId)
      return null
    }
    const problem = await stop(trunkId)
    if (problem !== null) return problem
    if (wished !== null) return mayAct() ? start(trunkId) : null
    await releaseGateway(db, self, trunkId)
    return null
  }

  const wish = async (trunkId: string): Promise<number | null> => {
    const wished = await wishedVersion(db, self, trunkId)
    if (wished !== null) return wished
    await claimGateway(db, self, trunkId)
    return wishedVersion(db, self, trunkId)
  }

  // The deletion has to be waited for: started any earlier, the old gateway's un-REGISTER takes the new one's contact
  // away from the registrar (freeswitch.md 2.4).
  const stop = async (trunkId: string): Promise<string | null> => {
    const deletion = hearDeletion(trunkId)
    const killed = await commands.killGateway(trunkId)
    if (killed.kind === 'done' && (await deletion.heard)) return null
    deletion.cancel()
    if (killed.kind === 'lost') return killed.problem
    if (killed.kind === 'refused' && !dying.delete(trunkId)) return null
    return (await isGone(trunkId)) ? null : 'the switch has not deleted its old gateway'
  }
  const hearDeletion = (trunkId: string) => {
    let cancel = () => {}
    const heard = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), deletionMs)
      const settled = (outcome: boolean) => {
        clearTimeout(timer)
        waiting.delete(trunkId)
        resolve(outcome)
      }
      waiting.set(trunkId, () => settled(true))
      cancel = () => settled(false)
    })
    return { heard, cancel }
  }
  const isGone = async (trunkId: string): Promise<boolean> => {
    for (let left = deletionMs / pollMs; left > 0; left--) {
      const listed = await commands.listGateways()
      if (listed.kind === 'lost') return false
      if (listed.kind === 'done' && ![...listed.value.up, ...listed.value.down].includes(trunkId)) return true
      await new Promise((resolve) => setTimeout(resolve, pollMs))
    }
    return false
  }

  // The switch fetches the gateway from any server; what it then runs may be newer than what was wished a moment ago.
  const start = async (trunkId: string): Promise<string | null> => {
    const started = await commands.startGateway(trunkId)
    const running = started.kind === 'done' ? await commands.gatewayVersion(trunkId) : started
    if (running.kind !== 'done' || running.value === null) {
      const problem =
        running.kind === 'done' ? 'it is not among those that a server gave it' : running.problem
      await recordFinding(db, self, trunkId, notTaken(problem))
      return problem
    }
    await recordVersion(db, self, trunkId, running.value)
    return running.value === (await wishedVersion(db, self, trunkId))
      ? null
      : 'its trunk was changed meanwhile'
  }

  const lookAt = async (trunkId: string): Promise<void> => {
    const status = await commands.gatewayStatus(trunkId)
    if (status.kind !== 'done' || status.value === null) return
    const finding = readState(status.value)
    const untold = finding !== null && (await recordFinding(db, self, trunkId, finding))
    if (untold) await commands.registerGateway(trunkId)
    else if (status.value.retrySeconds !== null)
      await recordNextTry(db, self, trunkId, status.value.retrySeconds)
  }

  return {
    settle,
    lookAt,
    deleted: (trunkId) => {
      dying.delete(trunkId)
      waiting.get(trunkId)?.()
    },
    dying: (trunkId) => {
      dying.add(trunkId)
    },
  }
}
