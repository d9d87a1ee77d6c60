import { normalise, stored } from '../numbers/e164.ts'
import type { Keys } from '../secrets.ts'
import { type Candidate, identify, type Origin, type Step } from '../trunks/identify.ts'

/** An inbound call as it arrives: its origin, the numbers that it may have dialled, and its caller. */
export type Arrival = Origin & {
  destination: string
  /** User of To: the number dialled where a registrar puts our own user into the request (freeswitch.md 4.3). */
  toUser: string | null
  callerId: string
}

/** An active incoming phone number with what is needed of its account to route a call. */
export type NumberCandidate = {
  id: string
  number: string
  carrierId: string
  accountId: string
  accountName: string
  accountStatus: 'enabled' | 'disabled'
  authTokenEncrypted: Uint8Array
  voiceUrl: string | null
  voiceMethod: 'GET' | 'POST'
  voiceFallbackUrl: string | null
  voiceFallbackMethod: 'GET' | 'POST'
  statusCallbackUrl: string | null
  statusCallbackMethod: 'GET' | 'POST'
  sipDomain: string | null
}

/** Trunks that the origin may be, each with the active numbers of its carrier that end like the dialled one. */
export type Found = { candidate: Candidate; numbers: NumberCandidate[] }[]

/** Why a call goes nowhere, with the trunk as far as there is one. */
export type InboundRefusal = {
  kind:
    | 'unidentified'
    | 'ambiguous'
    | 'unknown-number'
    | 'unconfigured-number'
    | 'disabled-account'
    | 'no-channel'
  /** SIP status (contract section 6). */
  code: 403 | 404 | 407 | 503
  message: string
  accountId: string | null
  /** Trunks of the carriers that get an error log, one each: those whose own call it may have been. */
  told: Candidate[]
}

/** Where an inbound call goes. Numbers are as normalised for the trunk's country. */
export type InboundRoute =
  | { kind: 'route'; trunk: Candidate; number: NumberCandidate; from: string; to: string; steps: Step[] }
  | { kind: 'refusal'; refusal: InboundRefusal; steps: Step[] }

/** Decides about a call by the specification's steps 2 to 5, from what `findInbound` found. It looks nothing up, so that
 * `route_tests` and a live call cannot differ. */
export function routeInbound(arrival: Arrival, found: Found, keys: Keys): InboundRoute {
  const candidates = found.map(({ candidate }) => candidate)
  const { groups, steps } = identify(arrival, candidates, keys)
  const numbersOf = (trunk: Candidate) => found.find(({ candidate }) => candidate === trunk)?.numbers ?? []
  const matches: Match[] = []
  for (const group of groups) {
    // A carrier's narrower network says more than its wider one, and nothing of another carrier's: whoever lists the
    // narrowest would take the others' calls away.
    const open = group.filter((trunk) => !matches.some((known) => known.trunk.carrierId === trunk.carrierId))
    matches.push(...open.flatMap((trunk) => match(arrival, trunk, numbersOf(trunk))))
    steps.push(...open.map((trunk) => numberStep(arrival, trunk, matches)))
  }
  if (matches.length > 1) return refuse(ambiguous(arrival, matches), steps)
  if (matches[0]) return settle(matches[0], steps)
  const trunks = groups.flat()
  return refuse(trunks.length === 0 ? unidentified(arrival) : unknownNumber(arrival, trunks), steps)
}

type Match = { trunk: Candidate; number: NumberCandidate; from: string; to: string }

function match(arrival: Arrival, trunk: Candidate, numbers: readonly NumberCandidate[]): Match[] {
  for (const dialled of dialledNumbers(arrival, trunk)) {
    const to = normalise(dialled, trunk.inboundCountry)
    const number = numbers.find((candidate) => candidate.number === stored(to))
    if (number) return [{ trunk, number, from: normalise(arrival.callerId, trunk.inboundCountry), to }]
  }
  return []
}

function dialledNumbers({ destination, toUser }: Arrival, trunk: Candidate): string[] {
  return trunk.foundBy === 'gateway_id' && toUser !== null ? [destination, toUser] : [destination]
}

function settle({ trunk, number, from, to }: Match, steps: Step[]): InboundRoute {
  const about = { accountId: number.accountId, told: [trunk] }
  const account: Step = {
    looked_at: 'account',
    carrierId: number.carrierId,
    id: number.accountId,
    name: number.accountName,
    kept: number.accountStatus === 'enabled',
    reason: `The account is ${number.accountStatus}.`,
  }
  const looked = [...steps, account]
  if (!account.kept) {
    const message = `The number ${to} belongs to the account "${number.accountName}", which is disabled.`
    return refuse({ kind: 'disabled-account', code: 403, message, ...about }, looked)
  }
  if (number.voiceUrl === null && number.sipDomain === null) {
    const message = `The number ${to} has neither a voice_url nor a sip_domain.`
    return refuse({ kind: 'unconfigured-number', code: 404, message, ...about }, looked)
  }
  return { kind: 'route', trunk, number, from, to, steps: looked }
}

const refuse = (refusal: InboundRefusal, steps: Step[]): InboundRoute => ({ kind: 'refusal', refusal, steps })

function unidentified(arrival: Arrival): InboundRefusal {
  return { kind: 'unidentified', code: 407, message: strangerOf(arrival), accountId: null, told: [] }
}

// A live call always has an address; a route test may ask with a gateway or a user name alone.
function strangerOf({ gateway, username, sourceIp }: Arrival): string {
  if (username !== null) return `No client_credentials trunk has the user name ${JSON.stringify(username)}.`
  if (sourceIp === null && gateway !== null)
    return `No outbound_registration trunk has the gateway ${gateway.id}.`
  return `No trunk lists the source address ${sourceIp ?? '(none)'}, and the caller has not logged in.`
}

// Where several carriers list an address and none has the number, telling all would tell each about calls of the others.
function unknownNumber(arrival: Arrival, trunks: readonly Candidate[]): InboundRefusal {
  const [first] = trunks
  const oneCarrier = trunks.every(({ carrierId }) => carrierId === first?.carrierId)
  const understood = [...new Set(trunks.map((trunk) => understanding(arrival, trunk)))].join(' or ')
  const message = `The number ${arrival.destination}, understood as ${understood}, is no active incoming phone number.`
  return {
    kind: 'unknown-number',
    code: 404,
    message,
    accountId: null,
    told: oneCarrier && first ? [first] : [],
  }
}

function ambiguous(arrival: Arrival, matches: readonly Match[]): InboundRefusal {
  const [first] = matches
  const oneCarrier = matches.every(({ trunk }) => trunk.carrierId === first?.trunk.carrierId)
  const message = `The source address ${arrival.sourceIp} and the number ${arrival.destination} fit ${matches.length} trunks equally well: ${
    oneCarrier ? matches.map(({ trunk }) => `"${trunk.name}"`).join(', ') : 'trunks of several carriers'
  }.`
  return {
    kind: 'ambiguous',
    code: 404,
    message,
    accountId: null,
    // Each of them has the number, so each may take the call for its own and must learn why it does not come.
    told: oneEach(matches.map(({ trunk }) => trunk)),
  }
}

const oneEach = (trunks: readonly Candidate[]): Candidate[] =>
  trunks.filter(
    ({ carrierId }, index) => trunks.findIndex((other) => other.carrierId === carrierId) === index,
  )

function numberStep(arrival: Arrival, trunk: Candidate, matches: readonly Match[]): Step {
  const own = matches.find((found) => found.trunk === trunk)
  const understood = understanding(arrival, trunk)
  return {
    looked_at: 'incoming_phone_number',
    carrierId: trunk.carrierId,
    id: own?.number.id ?? null,
    name: own?.to ?? understood,
    kept: own !== undefined,
    reason: own
      ? `Dialled on the trunk "${trunk.name}", ${arrival.destination} means ${own.to}, an active incoming phone number.`
      : `Dialled on the trunk "${trunk.name}", ${arrival.destination} means ${understood}, which is no active incoming phone number of its carrier.`,
  }
}

const understanding = (arrival: Arrival, trunk: Candidate) =>
  dialledNumbers(arrival, trunk)
    .map((dialled) => normalise(dialled, trunk.inboundCountry))
    .filter((text, index, all) => all.indexOf(text) === index)
    .join(' or ')

/** The ends of what was dialled that the stored number must have in common with it, so that one statement can find the
 * numbers before the trunk's country is known: the last six digits, or all digits of a shorter number. */
export function tailsOf({ destination, toUser }: Arrival): string[] {
  const digits = [destination, toUser ?? ''].map((text) => text.replace(/\D/g, ''))
  const tails = digits.flatMap((text) => [
    text.slice(-6),
    ...[5, 4, 3, 2, 1].map((length) => text.slice(-length)),
  ])
  return [...new Set(tails)].filter((tail) => tail !== '')
}
