import type { GatewayState, SwitchEvent } from '../event-socket/event.ts'
import type { Logger } from '../log.ts'
import { hearChallenge } from './challenge.ts'
import { checkClients, clientGone, clientRegistered, flushStale } from './clients.ts'
import { readState, recordedGateways, recordFinding } from './gateway-truth.ts'
import {
  createGateways,
  type Gateways,
  lookAtGateway,
  noticeDeletion,
  settleGateway,
  type Tools,
} from './gateways.ts'
import { claimGateways, type IdRange, unwishedGateways, wishedVersions } from './placement.ts'
import { createQueue, type Queue } from './queue.ts'

/** Makes one switch run what the tables wish, and the tables say what it runs. The queue holds the ids of trunks that
 * are to be looked at: whether the switch runs the right gateway and lets in the right clients. */
export type Reconciler = { gateways: Gateways; trunks: Queue }

const mostAtOnce = 32
const pageSize = 500
// Commands of calls go the same way and wait for what was asked before them.
const askedAtOnce = 20
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A reconciler for one switch. A gateway that bears no UUID is none of ours and is left alone. */
export function createReconciler(tools: Tools, log: Logger): Reconciler {
  const gateways = createGateways(tools)
  const { self } = tools
  const trunks = createQueue(async (trunk) => {
    try {
      const problem = await reconcileTrunk(gateways, trunk)
      if (problem !== null) log.warn({ switch: self.id, trunk, problem }, 'A gateway is not yet as wished')
      return problem === null
    } catch (err) {
      log.error({ err, switch: self.id, trunk }, 'A trunk could not be compared with its switch')
      return false
    }
  }, mostAtOnce)
  return { gateways, trunks }
}

async function reconcileTrunk(gateways: Gateways, trunkId: string): Promise<string | null> {
  if (!gateways.mayAct()) return null
  await flushStale(gateways.db, gateways.self, gateways.commands, trunkId)
  return settleGateway(gateways, trunkId)
}

/** Compares everything that the switch runs with everything that it is to run; gives the problem when it could not. */
export async function checkAll({ gateways, trunks }: Reconciler): Promise<string | null> {
  const { db, self, commands, takeOver } = gateways
  const listed = await commands.listGateways()
  if (listed.kind !== 'done') return listed.problem
  const { up, down } = listed.value
  const running = new Map([
    ...down.map((name) => [name, false] as const),
    ...up.map((name) => [name, true] as const),
  ])
  for await (const range of claimGateways(db, self, pageSize, takeOver()))
    for (const trunkId of await compare(gateways, range, running)) trunks.push(trunkId)
  for (const trunkId of await unwishedGateways(db, self)) trunks.push(trunkId)
  for (const stranger of running.keys()) if (uuid.test(stranger)) trunks.push(stranger)
  for (const trunkId of await checkClients(db, self, commands)) trunks.push(trunkId)
  return null
}

// Takes what is wished out of `running`, so that strangers are left, and gives what is not as it should be.
async function compare(
  { db, self, commands, dying }: Gateways,
  range: IdRange,
  running: Map<string, boolean>,
): Promise<string[]> {
  const wished = await wishedVersions(db, self, range)
  const recorded = await recordedGateways(db, self, range)
  const look = async ([trunkId, version]: [string, number]) => {
    const up = running.get(trunkId)
    running.delete(trunkId)
    if (up === undefined) return [trunkId]
    const carried = await commands.gatewayVersion(trunkId)
    if (carried.kind === 'done' && carried.value === null) dying.add(trunkId)
    const known = recorded.get(trunkId)
    const right = carried.kind === 'done' && carried.value === version && known?.version === version
    return right && up && known.registered ? [] : [trunkId]
  }
  const all = [...wished]
  const wrong: string[] = []
  for (let done = 0; done < all.length; done += askedAtOnce)
    wrong.push(...(await Promise.all(all.slice(done, done + askedAtOnce).map(look))).flat())
  return wrong
}

/** Learns at once that a gateway has come or gone, for which a change may be waiting; what nobody here has asked for is
 * looked into. */
export function notice({ gateways, trunks }: Reconciler, event: SwitchEvent): void {
  if (event.kind !== 'gateway-deleted' && event.kind !== 'gateway-added') return
  if (event.kind === 'gateway-deleted') noticeDeletion(gateways, event.gateway)
  if (uuid.test(event.gateway) && !trunks.doing(event.gateway)) trunks.push(event.gateway)
}

/** Takes in what the switch tells of gateways and clients; to be done in order, one after the other. */
export async function hear({ gateways, trunks }: Reconciler, event: SwitchEvent): Promise<void> {
  const { db, self } = gateways
  if ('gateway' in event && !uuid.test(event.gateway)) return
  if (event.kind === 'gateway-state') await hearState(gateways, event)
  if (event.kind === 'gateway-challenged') await hearChallenge(gateways, event.gateway)
  if (event.kind === 'unregistered') await clientGone(db, self, event)
  if (event.kind === 'registered') {
    const stale = await clientRegistered(db, self, event)
    if (stale !== null) trunks.push(stale)
  }
}

async function hearState(gateways: Gateways, event: GatewayState): Promise<void> {
  const finding = readState(event)
  if (finding === null) return
  const untold = await recordFinding(gateways.db, gateways.self, event.gateway, finding, event.networkIp)
  if (untold) await gateways.commands.registerGateway(event.gateway)
  else if (event.state === 'FAIL_WAIT') await lookAtGateway(gateways, event.gateway)
}
