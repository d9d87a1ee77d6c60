import type { callDirections, callStatuses } from '../db/schema.ts'
import type { RecordedSides, RecordingOrder } from '../twiml/recording.ts'
import type { Recorded, Role } from '../twiml/rules.ts'
import type { Cookies } from '../webhooks/cookies.ts'

/** Twilio's call statuses (contract section 7). */
export type CallStatus = (typeof callStatuses)[number]
/** Who began a call: somebody outside, the API, or a Dial. */
export type CallDirection = (typeof callDirections)[number]

/** Where a call's first TwiML comes from when it has none yet, and where it goes when a webhook fails. */
export type Instructions = {
  /** The first document of a call that did not arrive with one: an API call, or a leg that runs TwiML before it is joined. */
  first?: { kind: 'webhook'; url: string; method: 'GET' | 'POST' } | { kind: 'document'; text: string }
  fallbackUrl?: string
  fallbackMethod?: 'GET' | 'POST'
  /** What its webhooks have set, while it lives. */
  cookies?: Cookies
  /** For an API call: how to place it. */
  order?: PlacingOrder
  /** For an API call that was recorded: its recording, once the file is there. */
  recorded?: Recorded
  /** For a call to a number with a `sip_domain`: that host, which its carrier may have inside its own network. */
  sipDomain?: string
  /** For a leg: the Dial that rings it, as `<step>.<index>` of the verb. */
  dial?: string
  /** For a leg whose Dial is over: the hangup cause that it ends with, should it never have become a channel. */
  endsAs?: string
  /** For a leg: the API has taken it out of its Dial, so that it goes on by itself. */
  leftDial?: true
  /** What the API wants of a call that its switch has not been told yet (outbound/control.ts). */
  wish?: 'hang up' | 'come back'
  /** How many seconds after its answer the API wants a call to end that was answered before, while its switch has not been
   * told: beside the wish, as both may be wanted at once. */
  newLimitSeconds?: number
}

/** How an API call is placed and what happens to it besides its TwiML. */
export type PlacingOrder = {
  /** Seconds that it may ring. */
  timeoutSeconds: number
  /** Seconds that it may last once it is answered. */
  timeLimitSeconds: number
  /** DTMF to send once it is answered, before its TwiML. */
  sendDigits?: string
  /** Recording of the whole call from its answer. */
  recording?: RecordingOrder & RecordedSides
  /** Trunks on which the call has failed before it rang. */
  triedTrunkIds?: readonly string[]
}

/** A call that a switch runs, with what its next step needs. */
export type RunningCall = {
  /** When its switch asked for the next part: as `performance.now()` tells it. */
  askedAt: number
  id: string
  carrierId: string
  accountId: string
  authTokenEncrypted: Uint8Array
  /** Whether its account may still call. */
  accountEnabled: boolean
  sipTrunkId: string | null
  /** For a leg: the call whose Dial rings it. */
  parentCallId: string | null
  direction: CallDirection
  status: CallStatus
  from: string
  to: string
  channelUuid: string
  /** Number of the newest step. */
  step: number
  instructions: Instructions
  /** For a leg within its Dial: within how many earlier parts of its TwiML the next one runs (calls/returning.ts). */
  depth: number
}

/** The newest webhook request of a call, or the document that came without one. */
export type WebhookStep = {
  state: 'pending' | 'answered' | 'failed'
  method: 'GET' | 'POST'
  url: string
  params: Record<string, string>
  finalUrl: string | null
  document: string | null
  problem: string | null
  /** Its process did not finish in time: another may ask again. */
  expired: boolean
  ageSeconds: number
}

/** Statuses that a call cannot leave any more. */
export const isOver = (status: CallStatus): boolean =>
  ['completed', 'busy', 'no-answer', 'failed', 'canceled'].includes(status)

/** Whose TwiML a running call's is: a leg's is a whisper as long as the leg is within its Dial. */
export const roleOf = ({ direction, instructions, depth }: RunningCall): Role =>
  direction === 'outbound-dial' && !instructions.leftDial ? { kind: 'whisper', depth } : { kind: 'call' }
