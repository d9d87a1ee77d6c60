import type { PromptSource } from '../audio/prompt.ts'
import { type Action, comeBack, comeBackWithin, type Leg, play, set, silence } from '../dialplan-action.ts'
import type { DialledNumber, SipUser } from '../sip-uri.ts'
import type { Method } from '../webhooks/webhook.ts'
import type { Element } from './document.ts'
import type { Reading } from './reading.ts'

/** Whose document it is: `whisper`, that of a Dial's `<Number url>`, run on the called leg before it is joined; `depth`:
 * within how many earlier parts of it. */
export type Role = { kind: 'call' } | { kind: 'whisper'; depth: number }

/** What a verb needs to be written and does not know itself. */
export type Facts = {
  callId: string
  /** Number of the webhook request that brought the document. */
  step: number
  /** Whether the call was answered before this segment. */
  answered: boolean
  role: Role
  /** Our own URL of a prompt's audio. */
  promptUrl: (source: PromptSource) => string
  /** The legs of the Dial that the segment stops at; none: the Dial fails without ringing anybody. */
  dial?: { legs: readonly Leg[]; callerId: DialledNumber | SipUser | null }
  /** Our own URL to which FreeSWITCH uploads what the Record, or the Dial with `record`, takes. */
  recordingUrl?: string
  /** Before which verb the segment stops to wait for what is to be heard there. */
  hold?: Hold
}

/** A verb, by its index in the document, whose prompts are not ready yet, and how often the call has waited for them. */
export type Hold = { index: number; waits: number }

/** Facts at one verb: whether it is answered by now, and its index in the document. */
export type Place = Facts & { index: number }

/** What a verb did, as the channel variables and the calls' own records tell. Only the member of the verb that left is
 * looked at. */
export type Outcome = {
  /** Gather: channel variable `digits`, and the key that ended it when one did. */
  digits?: string
  finishedOnKey?: string
  dial?: {
    /** Channel variable `originate_disposition`. */
    disposition: string
    /** The leg that was joined: its call's SID and how long they talked. */
    callSid?: string
    seconds?: number
    recording?: Recorded
  }
  record?: Recorded & {
    /** The key that ended it, `hangup` when the caller did, empty after silence or the longest time. */
    endedBy: string
  }
}

/** A recording as the action's parameters tell of it; 0 seconds when there was only silence. */
export type Recorded = { sid: string; url: string; seconds: number }

/** A recording's parameters, as the action of the verb that took it has them (contract section 8), and the end of an API
 * call that was recorded. */
export const recordedParams = ({ sid, url, seconds }: Recorded): Record<string, string> => ({
  RecordingUrl: url,
  RecordingSid: sid,
  RecordingDuration: String(seconds),
})

/** What comes after a verb. */
export type Next =
  | { next: 'continue' }
  | { next: 'request'; url: string; method: Method; params: Record<string, string> }
  | { next: 'end' }

/** A verb as one thing: how it is read, whether it answers the call, how it is written, what comes after it. `leaves`:
 * after it we are asked again, or the call ends. */
export type Rules<Verb> = {
  leaves: boolean
  read(element: Element, reading: Reading): Verb
  answers(verb: Verb): boolean
  prompts(verb: Verb): readonly PromptSource[]
  write(verb: Verb, place: Place): Action[]
  after(verb: Verb, outcome: Outcome): Next
}

/** The ending of every verb that leaves and comes back: where it stands, what it does, and the way back to us. */
export const leave = (place: Place, actions: readonly Action[]): Action[] =>
  comeBackFrom(place, `${place.step}.${place.index}`, actions)

/** What a call does at a place of its TwiML, and the way back to us from there. A whisper comes back as a subroutine, and
 * says how deep that is: a transfer would take the leg out of the Dial that rings it. */
export function comeBackFrom(
  { callId, role }: Pick<Facts, 'callId' | 'role'>,
  at: string,
  actions: readonly Action[] = [],
): Action[] {
  if (role.kind === 'call') return [set('twiml_at', at), ...actions, comeBack(callId)]
  return [set('twiml_at', `${at}@${role.depth + 1}`), ...actions, comeBackWithin(callId)]
}

/** Silence that keeps RTP going, longer the longer it has taken, and the way back to the verb that is waited for. What was
 * heard just before is wait enough for the first time. */
export function waitHere(facts: Facts, { index, waits }: Hold, heardBefore: boolean): Action[] {
  const pause = play([silence(Math.min(500 * (waits + 1), 2000))])
  return [...(heardBefore ? [] : [pause]), ...comeBackFrom(facts, `${facts.step}.wait.${index}.${waits}`)]
}

/** Nothing to ask: the next verb. */
export const goOn = (): Next => ({ next: 'continue' })
