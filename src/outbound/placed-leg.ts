import { headerVariables, type Leg, legMarksPlaced, uriEndpoint } from '../dialplan-action.ts'
import { toDialledNumber, toSipUri, toSipUser } from '../sip-uri.ts'
import { endpoint, shownNumber } from '../trunks/dial-string.ts'
import type { Trunk } from '../trunks/trunk.ts'
import type { TakenCall } from './queries.ts'

/** What a call is placed through: its trunk, with the contact of its registered client where it is one; no trunk for a
 * call to a SIP URI. */
export type Way = { trunk: Trunk | null; contact: string | null }

/** Seconds that a call may ring: as ordered, else Twilio's 60. */
export const ringSecondsOf = ({ instructions }: Pick<TakenCall, 'instructions'>): number =>
  instructions.order?.timeoutSeconds ?? 60

/** The leg that an originate calls (freeswitch.md 7), or null when there is no such way. Without ignore_early_media a 183
 * would count as the answer; a redirection by the far end is not followed (6.5). */
export function toLeg(call: TakenCall, way: Way): Leg | null {
  const uri = way.trunk === null ? toSipUri(call.to) : null
  const target = way.trunk === null ? uri && uriEndpoint(uri) : endpoint(way.trunk, call.to, way.contact)
  if (target === null) return null
  return {
    endpoint: target,
    variables: {
      origination_uuid: call.channelUuid,
      ...legMarksPlaced(call.channelUuid),
      app_disable_expand_variables: 'true',
      max_session_transfers: '10000',
      ignore_early_media: 'true',
      outbound_redirect_fatal: 'true',
      originate_timeout: String(ringSecondsOf(call)),
      origination_caller_id_number: callerIdOf(call, way.trunk),
      sip_cid_type: 'pid',
      ...(uri === null ? {} : headerVariables(uri)),
    },
  }
}

// As the trunk shows numbers; what is none passes untouched (contract section 7).
function callerIdOf({ from }: TakenCall, trunk: Trunk | null): string {
  const shown = trunk === null ? from : (shownNumber(trunk, from) ?? from)
  return toDialledNumber(shown) ?? toSipUser(shown) ?? 'anonymous'
}
