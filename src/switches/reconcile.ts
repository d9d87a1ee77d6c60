import type { SwitchEvent } from '../event-socket/event.ts'
import type { Logger } from '../log.ts'
import { checkClients, clientGone, clientRegistered, flushStale } from './clients.ts'
import { readState, recordedGateways, recordFinding, strangerAsks } from './gateway-truth.ts'
import { createGateways, type Tools } from './gateways.ts'
import { claimGateways, type IdRange, wishedVersions } from './placement.ts'
import { createQueue } from './queue.ts'

/** Makes one switch run what the tables wish, and the tables say what it runs. */
export type Reconciler = {
  /** A trunk was changed: looks whether the switch runs the right gateway and lets in the right clients. */
  trunkChanged(trunkId: string): void
  /** Compares everything that the switch runs with everything that it is to run. */
  checkAll(): Promise<void>
  /** Learns at once that a gateway has come or gone, for which a change may be waiting. */
  notice(event: SwitchEvent): void
  /** Takes in what the switch tells of gateways and clients; in order, one after the other. */
  hear(event: SwitchEvent): Promise<void>
  /** Fulfilled when no gateway is being changed or waits for it. */
  idle(): Promise<void>
  stop(): void
}

const mostAtOnce = 32
const pageSize = 500
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A reconciler for one switch. A gateway that bears no UUID is none of ours and is left alone. */
export function createReconciler(tools: Tools, log: Logger): Reconciler {
  const { db, self, commands } = tools
  const gateways = createGateways(tools)
  const queue = createQueue(async (trunkId) => {
    if (!tools.mayAct()) return true
    try {
      await flushStale(db, self, commands, trunkId)
      const problem = await gateways.settle(trunkId)
      if (problem !== null)
        log.warn({ switch: self.id, trunk: trunkId, problem }, 'A gateway is not yet as wished')
      return problem === null
    } catch (error) {
      log.error(
        { err: error, switch: self.id, trunk: trunkId },
        'A trunk could not be compared with its switch',
      )
      return false
    }
  }, mostAtOnce)

  const checkAll = async (): Promise<void> => {
    const listed = await commands.listGateways()
    if (listed.kind !== 'done') {
      log.warn({ switch: self.id, problem: listed.problem }, 'A switch does not list its gateways')
      return
    }
    const { up, down } = listed.value
    const running = new Map([
      ...down.map((name) => [name, false] as const),
      ...up.map((name) => [name, true] as const),
    ])
    for await (const range of claimGateways(db, self, pageSize)) {
      for (const trunkId of await compare(range, running)) queue.push(trunkId)
    }
    for (const name of running.keys()) if (uuid.test(name)) queue.push(name)
    for (const trunkId of await checkClients(db, self, commands)) queue.push(trunkId)
  }
  // Takes what is wished out of `running`, so that strangers are left, and gives what is not as it should be.
  const compare = async (range: IdRange, running: Map<string, boolean>): Promise<string[]> => {
    const wished = await wishedVersions(db, self, range)
    const recorded = await recordedGateways(db, self, range)
    const looked = [...wished].map(async ([trunkId, version]) => {
      const up = running.get(trunkId)
      running.delete(trunkId)
      if (up === undefined) return [trunkId]
      const carried = await commands.gatewayVersion(trunkId)
      if (carried.kind === 'done' && carried.value === null) gateways.dying(trunkId)
      const known = recorded.get(trunkId)
      const right = carried.kind === 'done' && carried.value === version && known?.version === version
      return right && up && known.registered ? [] : [trunkId]
    })
    return (await Promise.all(looked)).flat()
  }

  const hear = async (event: SwitchEvent): Promise<void> => {
    switch (event.kind) {
      case 'gateway-state':
        return hearState(event)
      case 'gateway-challenged':
        await recordFinding(db, self, event.gateway, strangerAsks())
        return
      case 'registered': {
        const stale = await clientRegistered(db, self, event)
        if (stale !== null) queue.push(stale)
        return
      }
      case 'unregistered':
        return clientGone(db, self, event.registrationId)
    }
  }
  const hearState = async (event: Extract<SwitchEvent, { kind: 'gateway-state' }>): Promise<void> => {
    const finding = readState(event)
    if (finding === null) return
    await recordFinding(db, self, event.gateway, finding, event.networkIp)
    if (event.state === 'FAIL_WAIT') await gateways.lookAt(event.gateway)
  }

  return {
    trunkChanged: (trunkId) => queue.push(trunkId),
    checkAll,
    notice: (event) => {
      if (event.kind !== 'gateway-deleted' && event.kind !== 'gateway-added') return
      if (event.kind === 'gateway-deleted') gateways.deleted(event.gateway)
      // What nobody here has asked for is looked into.
      if (uuid.test(event.gateway) && !queue.doing(event.gateway)) queue.push(event.gateway)
    },
    hear: async (event) => {
      if ('gateway' in event && !uuid.test(event.gateway)) return
      await hear(event)
    },
    idle: () => queue.idle(),
    stop: () => queue.clear(),
  }
}
