import { channelStep, type Explanation } from '../calls/explanation.ts'
import type { Platform } from '../platform.ts'
import type { Keys } from '../secrets.ts'
import { contactSecret } from '../trunks/contact-secret.ts'
import { findInbound } from './queries.ts'
import { type Arrival, type Found, type InboundRoute, type NumberCandidate, routeInbound } from './route.ts'

/** What would become of an inbound call, and where it would go. */
export type InboundExplanation = Explanation & {
  route: { number: NumberCandidate; from: string; to: string } | null
}

/** One of the specification's three ways by which a trunk is identified. */
export type Caller = { gatewayId: string } | { username: string } | { sourceIp: string }

/** Explains an inbound call to a carrier by the very functions that route one. Only the carrier's own trunks and numbers
 * are looked at, unless another carrier's make the call ambiguous, which it would be told of a live call as well. */
export async function explainInbound(
  { db, keys }: Platform,
  carrierId: string,
  caller: Caller,
  numbers: { to: string; from: string },
): Promise<InboundExplanation> {
  const asked = toArrival(caller, numbers)
  const found = await findInbound(db, asked)
  const arrival = withSecret(keys, asked, found)
  const own = found.filter(({ candidate }) => candidate.carrierId === carrierId)
  const live = routeInbound(arrival, found, keys)
  const route = isTold(live, carrierId) ? live : routeInbound(arrival, own, keys)
  if (route.kind === 'refusal') {
    const { code, message, told } = route.refusal
    const trunkId = told.find((trunk) => trunk.carrierId === carrierId)?.id ?? null
    const steps = route.steps.filter((step) => step.carrierId === carrierId)
    return { steps, trunkId, route: null, refusal: { code, message } }
  }
  const { trunk, number, from, to } = route
  const channels = await channelStep(db, trunk)
  const steps = [...route.steps, channels]
  if (!channels.kept)
    return { steps, trunkId: trunk.id, route: null, refusal: { code: 503, message: channels.reason } }
  return { steps, trunkId: trunk.id, route: { number, from, to }, refusal: null }
}

// A call that is refused because another carrier has the number behind the same address too: both are told of each.
const isTold = (route: InboundRoute, carrierId: string) =>
  route.kind === 'refusal' && route.refusal.told.some((trunk) => trunk.carrierId === carrierId)

// One that logged in as a client is what it says.
function toArrival(caller: Caller, { to, from }: { to: string; from: string }): Arrival {
  return {
    gateway: 'gatewayId' in caller ? { id: caller.gatewayId, parameters: '' } : null,
    username: 'username' in caller ? caller.username : null,
    sourceIp: 'sourceIp' in caller ? caller.sourceIp : null,
    destination: to,
    toUser: null,
    callerId: from,
  }
}

// A call that came by the trunk's gateway brings its secret back.
function withSecret(keys: Keys, arrival: Arrival, found: Found): Arrival {
  const trunk = found.find(({ candidate }) => candidate.foundBy === 'gateway_id')?.candidate
  if (arrival.gateway === null || trunk === undefined) return arrival
  return { ...arrival, gateway: { ...arrival.gateway, parameters: `tok=${contactSecret(keys, trunk)}` } }
}
