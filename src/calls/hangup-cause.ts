import type { CallDirection, CallStatus } from './call.ts'

/** How a channel ended, in FreeSWITCH's words. */
export type Ending = { answered: boolean; cause: string; sipStatus: number | null }

/** The status that a call ends with (freeswitch.md 7, last table). Whoever gave up before the answer decides: a caller
 * that hangs up leaves an unanswered call, our side cancels one. */
export function finalStatus({ answered, cause }: Ending, direction: CallDirection): CallStatus {
  if (answered) return 'completed'
  if (busy.has(cause)) return 'busy'
  if (cause === 'ORIGINATOR_CANCEL') return direction === 'inbound' ? 'no-answer' : 'canceled'
  if (cause === 'LOSE_RACE' || cause === 'PICKED_OFF') return 'canceled'
  if (unanswered.has(cause)) return 'no-answer'
  return direction === 'inbound' && inboundUnanswered.has(cause) ? 'no-answer' : 'failed'
}

/** The SIP status that the far end saw: the one on the wire where FreeSWITCH knows it, else what it sends for a cause. */
export function sipStatusOf({ answered, cause, sipStatus }: Ending): number | null {
  return sipStatus ?? (answered ? 200 : (sipStatusByCause[cause] ?? null))
}

const busy = new Set(['USER_BUSY'])
const unanswered = new Set(['NO_ANSWER', 'NO_USER_RESPONSE', 'ALLOTTED_TIMEOUT'])
// What our own Reject and Hangup leave on an inbound call that was never answered.
const inboundUnanswered = new Set(['CALL_REJECTED', 'NORMAL_CLEARING', 'NORMAL_UNSPECIFIED'])

// mod_sofia.c, hangup_cause_to_sip.
const sipStatusByCause: Record<string, number> = {
  UNALLOCATED_NUMBER: 404,
  NO_ROUTE_DESTINATION: 404,
  USER_BUSY: 486,
  NO_USER_RESPONSE: 408,
  NO_ANSWER: 480,
  SUBSCRIBER_ABSENT: 480,
  CALL_REJECTED: 603,
  NUMBER_CHANGED: 410,
  DESTINATION_OUT_OF_ORDER: 502,
  INVALID_NUMBER_FORMAT: 484,
  NORMAL_TEMPORARY_FAILURE: 503,
  NETWORK_OUT_OF_ORDER: 503,
  SWITCH_CONGESTION: 503,
  GATEWAY_DOWN: 503,
  INVALID_GATEWAY: 502,
  INCOMPATIBLE_DESTINATION: 488,
  RECOVERY_ON_TIMER_EXPIRE: 504,
  ORIGINATOR_CANCEL: 487,
  LOSE_RACE: 487,
  NORMAL_CLEARING: 480,
  NORMAL_UNSPECIFIED: 480,
  ALLOTTED_TIMEOUT: 408,
}
