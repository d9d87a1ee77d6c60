import { equalSecrets, type Keys } from '../secrets.ts'
import { type Contact, contactSecret } from './contact-secret.ts'

/** What a call says of where it comes from, as FreeSWITCH reports it. Only `username` is proven (by digest). */
export type Origin = {
  gateway: { id: string; parameters: string } | null
  username: string | null
  sourceIp: string | null
}

/** By which of the specification's three ways a trunk was found. */
export type FoundBy = 'gateway_id' | 'client_identifier' | 'source_ip'

/** A trunk that the origin may be. */
export type Candidate = Contact & {
  foundBy: FoundBy
  carrierId: string
  name: string
  inboundCountry: string | null
  /** Length of the listed network that holds the source address; null when found otherwise. */
  networkLength: number | null
  /** Whether the source address is one that the gateway's trunk lists or its registrar answered from. */
  atItsAddress: boolean
}

/** One thing looked at on the way to a decision, and why it was kept or dropped: what `route_tests` shows. */
export type Step = {
  looked_at: 'sip_trunk' | 'incoming_phone_number' | 'account' | 'channels' | 'route_prefix'
  carrierId: string | null
  id: string | null
  name: string | null
  kept: boolean
  reason: string
}

/** Trunks that the caller may be; of one carrier's trunks those of an earlier group are better, those of one group equally
 * good. */
export type Identified = { groups: Candidate[][]; steps: Step[] }

/** Applies the specification's order: gateway, then digest user name, then source address, of one carrier's trunks
 * those with the longest network first. A way that proves something ends the search; `;gw=` alone proves nothing
 * (freeswitch.md 4.3). */
export function identify(origin: Origin, candidates: readonly Candidate[], keys: Keys): Identified {
  const by = (way: FoundBy) => candidates.filter((candidate) => candidate.foundBy === way)
  const gateways = by('gateway_id').map((candidate) => ({
    candidate,
    proof: gatewayProof(origin, candidate, keys),
  }))
  const steps = gateways.map(({ candidate, proof }) =>
    step(
      candidate,
      proof !== null,
      proof ?? 'The call names this gateway but brings neither its secret nor comes from its address.',
    ),
  )
  const proven = gateways.filter(({ proof }) => proof !== null).map(({ candidate }) => candidate)
  if (proven.length > 0) return { groups: [proven], steps }
  const clients = by('client_identifier')
  if (clients.length > 0) {
    return {
      groups: [clients],
      steps: [
        ...steps,
        ...clients.map((client) => step(client, true, 'The caller logged in as this trunk.')),
      ],
    }
  }
  const listed = by('source_ip')
  return {
    groups: byNetwork(listed),
    steps: [
      ...steps,
      ...listed.map((trunk) =>
        step(
          trunk,
          true,
          `The source address ${origin.sourceIp} is in a network of length ${trunk.networkLength} that this trunk lists.`,
        ),
      ),
    ],
  }
}

/** A step about a trunk. */
export function step(
  candidate: Pick<Candidate, 'id' | 'name' | 'carrierId'>,
  kept: boolean,
  reason: string,
): Step {
  const { id, name, carrierId } = candidate
  return { looked_at: 'sip_trunk', carrierId, id, name, kept, reason }
}

function gatewayProof(origin: Origin, candidate: Candidate, keys: Keys): string | null {
  const secret = /(?:^|;)tok=([^;]*)/.exec(origin.gateway?.parameters ?? '')?.[1]
  if (secret !== undefined && equalSecrets(secret, contactSecret(keys, candidate)))
    return 'The call came through this gateway and brought back its secret.'
  if (candidate.atItsAddress) return 'The call names this gateway and comes from its address.'
  return null
}

function byNetwork(listed: readonly Candidate[]): Candidate[][] {
  const lengths = [...new Set(listed.map(({ networkLength }) => networkLength ?? 0))].sort((a, b) => b - a)
  return lengths.map((length) => listed.filter(({ networkLength }) => networkLength === length))
}
