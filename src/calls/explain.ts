import { sql } from 'drizzle-orm'
import type { Account } from '../accounts/account.ts'
import { type Db, rows } from '../db/connect.ts'
import { uriEndpoint } from '../dialplan-action.ts'
import { meaningOf, normalise, stored } from '../numbers/e164.ts'
import type { Platform } from '../platform.ts'
import { type Keys, nameFor } from '../secrets.ts'
import { isSipUri, toSipUri } from '../sip-uri.ts'
import { chooseTrunks } from '../trunks/choose.ts'
import { endpoint } from '../trunks/dial-string.ts'
import type { Step } from '../trunks/identify.ts'
import type { Trunk } from '../trunks/trunk.ts'
import { findInbound } from './inbound-queries.ts'
import { contactOfClient } from './leg-queries.ts'
import { ownNumber } from './order.ts'
import { type Arrival, type InboundRoute, type NumberCandidate, routeInbound } from './route-inbound.ts'
import { refusedSipHost } from './sip-host.ts'

/** What would become of a call, and everything that was looked at on the way. */
export type Explanation = {
  steps: Step[]
  trunkId: string | null
  /** How an outbound call would be dialled. */
  dialString: string | null
  /** Where an inbound call would go. */
  route: { number: NumberCandidate; from: string; to: string } | null
  /** Why the call would go nowhere: SIP status, or Twilio's error code for an outbound call. */
  refusal: { code: number; message: string } | null
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
): Promise<Explanation> {
  const arrival = toArrival(keys, caller, numbers)
  const found = await findInbound(db, arrival)
  const own = found.filter(({ candidate }) => candidate.carrierId === carrierId)
  const live = routeInbound(arrival, found, keys)
  const route = isTold(live, carrierId) ? live : routeInbound(arrival, own, keys)
  if (route.kind === 'refusal') {
    const { code, message, told } = route.refusal
    const trunkId = told.find((trunk) => trunk.carrierId === carrierId)?.id ?? null
    const steps = route.steps.filter((step) => step.carrierId === carrierId)
    return { ...nothing, steps, trunkId, refusal: { code, message } }
  }
  const { trunk, number, from, to } = route
  const channels = await channelStep(db, trunk)
  const steps = [...route.steps, channels]
  if (!channels.kept)
    return { ...nothing, steps, trunkId: trunk.id, refusal: { code: 503, message: channels.reason } }
  return { ...nothing, steps, trunkId: trunk.id, route: { number, from, to }, refusal: null }
}

// A call that is refused because another carrier has the number behind the same address too: both are told of each.
const isTold = (route: InboundRoute, carrierId: string) =>
  route.kind === 'refusal' && route.refusal.told.some((trunk) => trunk.carrierId === carrierId)

/** Explains a call that an account would place, by the very functions that choose its trunk and write its dial string. */
export async function explainOutbound(
  platform: Platform,
  account: Account,
  numbers: { to: string; from: string },
): Promise<Explanation> {
  if (isSipUri(numbers.to)) return explainSipUri(platform, account, numbers)
  const meaning = meaningOf(numbers.to, null)
  if (meaning.kind === 'other') {
    return { ...nothing, steps: [], refusal: notDialled(`${numbers.to} is not a valid phone number.`) }
  }
  const { db } = platform
  const asker = await askerSteps(db, account, numbers.from)
  const { trunks, steps: chosen } = await chooseTrunks(db, account, meaning.number)
  const [trunk] = trunks
  const channels = trunk === undefined ? [] : [await channelStep(db, trunk)]
  const steps = [...asker, ...chosen, ...channels]
  const refused = refusalOf(asker)
  if (refused !== null) return { ...nothing, steps, refusal: refused }
  if (trunk === undefined)
    return { ...nothing, steps, refusal: { code: 13224, message: 'No trunk can dial this number.' } }
  const dialString = endpoint(trunk, meaning.number, await contactOf(db, trunk))
  const refusal = dialString === null ? unreachable : null
  return { ...nothing, steps, trunkId: trunk.id, dialString, refusal }
}

const nothing = { trunkId: null, dialString: null, route: null }

const notDialled = (message: string) => ({ code: 21211, message })

// A SIP URI is called without a trunk.
async function explainSipUri(
  { db, env }: Platform,
  account: Account,
  { to, from }: { to: string; from: string },
): Promise<Explanation> {
  const uri = toSipUri(to)
  if (uri === null) return { ...nothing, steps: [], refusal: notDialled(`${to} is not a valid SIP address.`) }
  const inside = refusedSipHost(env, uri.host)
  if (inside !== null)
    return { ...nothing, steps: [], refusal: notDialled(`${to} cannot be called. ${inside}`) }
  const steps = await askerSteps(db, account, from)
  const refusal = refusalOf(steps)
  return { ...nothing, steps, dialString: refusal === null ? uriEndpoint(uri) : null, refusal }
}

const unreachable = { code: 480, message: 'The client of the trunk is not registered.' }

// A call that came by the trunk's gateway brings its secret back; one that logged in as a client is what it says.
function toArrival(keys: Keys, caller: Caller, { to, from }: { to: string; from: string }): Arrival {
  const gateway =
    'gatewayId' in caller
      ? { id: caller.gatewayId, parameters: `tok=${nameFor(keys, 'contact', caller.gatewayId)}` }
      : null
  return {
    gateway,
    username: 'username' in caller ? caller.username : null,
    sourceIp: 'sourceIp' in caller ? caller.sourceIp : null,
    destination: to,
    toUser: null,
    callerId: from,
  }
}

const accountStep = ({ id, carrierId, name, status }: Account): Step => ({
  looked_at: 'account',
  carrierId,
  id,
  name,
  kept: status === 'enabled',
  reason: `The account is ${status}.`,
})

const askerSteps = async (db: Db, account: Account, from: string): Promise<Step[]> => [
  accountStep(account),
  ...(await callerSteps(db, account, from)),
]

function refusalOf(asker: readonly Step[]): Explanation['refusal'] {
  const refused = asker.find(({ kept }) => !kept)
  return refused === undefined ? null : { code: codeOf(refused), message: refused.reason }
}

async function callerSteps(db: Db, account: Account, from: string): Promise<Step[]> {
  if (from === '') return []
  const number = normalise(from, null)
  const own = await ownNumber(db, account, stored(number))
  const what = own === null ? 'no active incoming phone number' : 'an active incoming phone number'
  return [
    {
      looked_at: 'incoming_phone_number',
      carrierId: account.carrierId,
      id: own?.id ?? null,
      name: number,
      kept: own !== null,
      reason: `${number} is ${what} of the account.`,
    },
  ]
}

const codeOf = ({ looked_at }: Step): number => (looked_at === 'account' ? 20005 : 21210)

async function channelStep(db: Db, trunk: Pick<Trunk, 'id' | 'carrierId' | 'name'>): Promise<Step> {
  const [found] = await rows<{ free: boolean }>(db, sql`SELECT trunk_has_channel(${trunk.id}::uuid) AS free`)
  const kept = found?.free ?? false
  const { id, carrierId, name } = trunk
  const reason = kept
    ? 'The trunk has a channel left.'
    : 'The trunk has as many calls as max_channels allows.'
  return { looked_at: 'channels', carrierId, id, name, kept, reason }
}

const contactOf = (db: Db, { id, authenticationMode }: Trunk) =>
  authenticationMode === 'client_credentials' ? contactOfClient(db, id) : null
