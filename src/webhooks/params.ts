import { toSid } from '../sid.ts'

/** What the fields of a call are made from: its numbers as they are shown. */
export type CallFacts = {
  id: string
  accountId: string
  from: string
  to: string
  direction: string
  status: string
  /** The call whose Dial rings it, when it is a leg. */
  parentCallId: string | null
}

/** The fields that every request about a call has (specification, "Example: Inbound Call Webhook"; contract 8), in
 * the order of the specification. */
export function callParams(call: CallFacts): Record<string, string> {
  return {
    CallSid: toSid('CA', call.id),
    From: call.from,
    To: call.to,
    Direction: call.direction,
    AccountSid: toSid('AC', call.accountId),
    CallStatus: call.status,
    ApiVersion: apiVersion,
    Caller: call.from,
    Called: call.to,
    ...(call.parentCallId === null ? {} : { ParentCallSid: toSid('CA', call.parentCallId) }),
  }
}

/** Version of Twilio's API that all of this speaks. */
export const apiVersion = '2010-04-01'

/** A time as Twilio writes it: RFC 2822, in UTC. */
export const rfc2822 = (time: Date): string => time.toUTCString().replace('GMT', '+0000')
