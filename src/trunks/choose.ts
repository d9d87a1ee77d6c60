import type { Db } from '../db/connect.ts'
import { type E164, prefixesOf } from '../numbers/e164.ts'
import type { Step } from './identify.ts'
import { trunkOfCarrier, trunksByPrefix } from './queries.ts'
import type { Trunk } from './trunk.ts'

/** Who places a call: the account with its dedicated trunk, if it has one. */
export type Placing = { carrierId: string; sipTrunkId: string | null }

/** The trunks that a call may take, best first, and what was looked at. */
export type Choice = { trunks: Trunk[]; steps: Step[] }

/** Chooses trunks for a destination (contract section 7): the dedicated trunk if it can dial out; else the carrier's
 * trunks that are not dedicated to any account, the longest route prefix first, then those without prefixes, equal ones
 * by creation order. An empty list is Twilio error 13224. */
export async function chooseTrunks(db: Db, placing: Placing, destination: E164 | string): Promise<Choice> {
  const dedicated =
    placing.sipTrunkId === null ? null : await trunkOfCarrier(db, placing.carrierId, placing.sipTrunkId)
  if (dedicated !== null && canDialOut(dedicated)) {
    return { trunks: [dedicated], steps: [step(dedicated, true, 'This trunk is dedicated to the account.')] }
  }
  const unusable =
    dedicated === null
      ? []
      : [step(dedicated, false, 'This trunk is dedicated to the account but has no outbound_host.')]
  const found = await trunksByPrefix(db, placing.carrierId, prefixesOf(destination))
  const usable = found.filter(({ trunk, shared }) => shared && canDialOut(trunk))
  const best = usable[0]?.trunk
  return {
    trunks: usable.map(({ trunk }) => trunk),
    steps: [...unusable, ...found.map((row) => step(row.trunk, row.trunk === best, reason(row, best)))],
  }
}

/** Whether a trunk has where to send a call: a host, or clients that register. */
export const canDialOut = (trunk: Pick<Trunk, 'authenticationMode' | 'outboundHost'>): boolean =>
  trunk.outboundHost !== null || trunk.authenticationMode === 'client_credentials'

/** A trunk with the prefix by which it matches, and whether accounts share it. */
export type PrefixMatch = { trunk: Trunk; prefix: string; shared: boolean }

function reason({ trunk, prefix, shared }: PrefixMatch, best: Trunk | undefined): string {
  const match = prefix === '' ? 'It has no route prefixes' : `Its route prefix ${prefix} matches`
  if (!shared) return `${match}, but it is dedicated to an account.`
  if (!canDialOut(trunk)) return `${match}, but it has no outbound_host.`
  return trunk === best ? `${match}.` : `${match}, but a trunk before it matches better or is older.`
}

const step = ({ id, name, carrierId }: Trunk, kept: boolean, why: string): Step => ({
  looked_at: 'sip_trunk',
  carrierId,
  id,
  name,
  kept,
  reason: why,
})
