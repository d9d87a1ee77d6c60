import { randomUUID } from 'node:crypto'
import { eq } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { accounts } from '../db/schema.ts'
import { chooseTrunks } from '../trunks/choose.ts'
import type { Step as RouteStep } from '../trunks/identify.ts'
import type { Trunk } from '../trunks/trunk.ts'
import { moveInQueue } from './due-queries.ts'
import type { CallEnd, Progress } from './progress.ts'
import type { MovingCall } from './progress-queries.ts'

/** Where a call goes on: the next trunk, and why. */
export type NextTrunk = { trunk: Trunk; steps: Omit<RouteStep, 'carrierId'>[] }

/** The trunk on which a call of the API is tried again that failed before it rang: the next by the same rules, where the
 * account has failover. Null when it ends as it is. */
export async function nextTrunk(tx: Db, call: MovingCall, progress: Progress): Promise<NextTrunk | null> {
  const { end } = progress
  if (!end || call.direction !== 'outbound-api' || call.sipTrunkId === null || call.status === 'queued')
    return null
  if (call.instructions.wish === 'hang up' || !failedUnheard(call, progress, end)) return null
  const [account] = await tx
    .select({ failover: accounts.failover, sipTrunkId: accounts.sipTrunkId })
    .from(accounts)
    .where(eq(accounts.id, call.accountId))
  if (!account?.failover) return null
  const tried = triedBy(call)
  const { trunks } = await chooseTrunks(tx, { ...account, carrierId: call.carrierId }, call.to)
  const trunk = trunks.find(({ id }) => !tried.includes(id))
  return trunk === undefined ? null : { trunk, steps: toSteps(call, trunk, trunks, end) }
}

/** Puts a call back into the queue, for its next trunk; another channel is to carry it. */
export async function putBack(tx: Db, call: MovingCall, { trunk, steps }: NextTrunk): Promise<void> {
  const { order } = call.instructions
  if (order === undefined) throw new Error(`The call ${call.id} cannot be placed again: it has no order.`)
  await moveInQueue(tx, call.id, {
    sipTrunkId: trunk.id,
    channelUuid: randomUUID(),
    instructions: { ...call.instructions, order: { ...order, triedTrunkIds: triedBy(call) } },
    steps,
  })
}

const triedBy = ({ instructions, sipTrunkId }: MovingCall) => [
  ...(instructions.order?.triedTrunkIds ?? []),
  ...(sipTrunkId === null ? [] : [sipTrunkId]),
]

function toSteps(call: MovingCall, next: Trunk, trunks: readonly Trunk[], end: CallEnd): NextTrunk['steps'] {
  const failed = trunks.find(({ id }) => id === call.sipTrunkId)
  const status = end.sipStatus === null ? '' : ` (SIP ${end.sipStatus})`
  return [
    {
      ...{ looked_at: 'sip_trunk', id: call.sipTrunkId, name: failed?.name ?? null, kept: false },
      reason: `The call failed on this trunk before it rang: ${end.cause}${status}.`,
    },
    {
      ...{ looked_at: 'sip_trunk', id: next.id, name: next.name, kept: true },
      reason: 'The account has failover, and this trunk is the next by the same rules.',
    },
  ]
}

function failedUnheard(call: MovingCall, progress: Progress, end: CallEnd): boolean {
  const heard = [call.ringingAt, call.answeredAt, progress.ringingAt, progress.answeredAt].some(Boolean)
  return !heard && isUnreached(end)
}

/** Whether a call that did not ring ended so that another trunk may reach the far end: what that has refused (404, 486,
 * 603) none would change. */
export function isUnreached({ cause, sipStatus }: Pick<CallEnd, 'cause' | 'sipStatus'>): boolean {
  if (sipStatus !== null && sipStatus >= 500 && sipStatus < 600) return true
  return unreached.has(cause) && (sipStatus === null || timeouts.has(sipStatus))
}

// No answer came, or none before our own CANCEL.
const timeouts = new Set([408, 487])
const unreached = new Set([
  'GATEWAY_DOWN',
  'INVALID_GATEWAY',
  'NO_ROUTE_DESTINATION',
  'DESTINATION_OUT_OF_ORDER',
  'NETWORK_OUT_OF_ORDER',
  'NORMAL_TEMPORARY_FAILURE',
  'SERVICE_UNAVAILABLE',
  'RECOVERY_ON_TIMER_EXPIRE',
  'NO_ANSWER',
  'SUBSCRIBER_ABSENT',
])
