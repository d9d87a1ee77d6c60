import {
  type Action,
  bridge,
  endBridgeOnStar,
  headerVariables,
  legHangsUpAfter,
  legRunsFirst,
  legSendsDigits,
  recordOnceJoined,
  recordSession,
  ringBack,
  set,
  callerId as showCallerId,
  stopRecordSession,
  unset,
} from '../dialplan-action.ts'
import { type DialledNumber, type SipUser, toDialledNumber, toSipUser } from '../sip-uri.ts'
import type { Webhook } from '../webhooks/webhook.ts'
import type { Element } from './document.ts'
import { checkAttributes, choice, flag, integer, quote, type Reading, refuse, webhook } from './reading.ts'
import {
  type RecordedSides,
  type RecordingOrder,
  readRecordingOrder,
  recordingAttributes,
  recordingTracks,
  takeSides,
} from './recording.ts'
import { type RingTone, ringToneNames, ringTones } from './ring-tone.ts'
import { goOn, leave, type Outcome, type Place, type Rules, recordedParams } from './rules.ts'
import { readTargets, type Target } from './target.ts'

/** `<Dial>`: rings others and joins the caller with the first that answers. */
export type Dial = {
  verb: 'Dial'
  line: number
  /** Null: the next verb follows. */
  action: Webhook | null
  /** Seconds that it rings. */
  timeoutSeconds: number
  /** Seconds that they may talk. */
  timeLimitSeconds: number
  callerId: DialledNumber | SipUser | null
  hangupOnStar: boolean
  /** The caller is answered only when somebody else answers. */
  answerOnBridge: boolean
  /** One after the other instead of all at once. */
  sequential: boolean
  ringTone: RingTone
  recording: DialRecording | null
  targets: readonly Target[]
}

/** What of a Dial is recorded. */
export type DialRecording = RecordingOrder & RecordedSides & { from: 'answer' | 'ringing' }

/** The channel variables of one leg that follow from the document. `childCallId` is the leg's own call. */
export function legVariables(dial: Dial, target: Target, childCallId: string): Record<string, string> {
  return {
    outbound_redirect_fatal: 'true',
    sip_copy_custom_headers: 'false',
    ...(dial.sequential ? { leg_timeout: String(dial.timeoutSeconds) } : {}),
    ...legHangsUpAfter(dial.timeLimitSeconds),
    ...(target.kind === 'sip' ? headerVariables(target.uri) : {}),
    ...(target.kind === 'number' && target.sendDigits !== null ? legSendsDigits(target.sendDigits) : {}),
    ...(target.whisper === null ? {} : legRunsFirst(childCallId)),
  }
}

/** How `<Dial>` is read and written, and what comes after it. */
export const dial: Rules<Dial> = {
  leaves: true,
  read(element, reading) {
    checkAttributes(reading, element, [...served, ...recordingAttributes], unserved)
    const ringTone = choice(reading, element, 'ringTone', ringToneNames, 'automatic')
    return {
      verb: 'Dial',
      line: element.line,
      action: webhook(reading, element, 'action', 'method'),
      timeoutSeconds: integer(reading, element, 'timeout', { least: 1, most: 600, otherwise: 30 }),
      timeLimitSeconds: integer(reading, element, 'timeLimit', { least: 1, most: 86400, otherwise: 14400 }),
      callerId: readCallerId(reading, element),
      hangupOnStar: flag(reading, element, 'hangupOnStar', false),
      answerOnBridge: flag(reading, element, 'answerOnBridge', false),
      sequential: flag(reading, element, 'sequential', false),
      ringTone: ringTone === 'automatic' ? 'us' : ringTone,
      recording: readRecording(reading, element),
      targets: readTargets(element, reading),
    }
  },
  answers: ({ answerOnBridge }) => !answerOnBridge,
  prompts: () => [],
  write: (verb, place) => leave(place, writeDial(verb, place)),
  after({ action }, { dial: outcome }) {
    if (action === null) return goOn()
    return { next: 'request', ...action, params: actionParams(outcome ?? { disposition: '' }) }
  },
}

const served = (
  'action method timeout timeLimit callerId hangupOnStar answerOnBridge sequential ringTone ' +
  'record recordingTrack'
).split(' ')
const unserved = { callReason: [], referUrl: [], referMethod: [], events: [] }

function readCallerId(reading: Reading, element: Element): Dial['callerId'] {
  const text = element.attributes.get('callerId') ?? ''
  if (text === '') return null
  const read = toDialledNumber(text.replace(/[\s().-]/g, '')) ?? toSipUser(text)
  if (read === null)
    refuse(reading, element, `callerId of <Dial> must be a number or a SIP user, not ${quote(text)}.`)
  return read
}

// `true` and `false` are what Dial's record was before it said from when.
const recordValues = [
  'do-not-record',
  'record-from-answer',
  'record-from-ringing',
  'record-from-answer-dual',
  'record-from-ringing-dual',
  'true',
  'false',
] as const

function readRecording(reading: Reading, element: Element): DialRecording | null {
  const value = choice(reading, element, 'record', recordValues, 'do-not-record')
  const order = readRecordingOrder(reading, element, 'do-not-trim')
  const track = choice(reading, element, 'recordingTrack', recordingTracks, 'both')
  if (value === 'do-not-record' || value === 'false') return null
  const from = value.startsWith('record-from-ringing') ? 'ringing' : 'answer'
  return { ...order, from, channels: value.endsWith('-dual') ? 2 : 1, track }
}

function writeDial(verb: Dial, place: Place): Action[] {
  const { legs, callerId } = place.dial ?? { legs: [], callerId: null }
  if (legs.length === 0) return [set('originate_disposition', 'NO_ROUTE_DESTINATION')]
  const recording = writeRecording(verb.recording, place)
  return [
    ...bridgeVariables(verb, place),
    ...(callerId === null ? [unset('effective_caller_id_number')] : [showCallerId(callerId)]),
    ...recording.before,
    bridge(legs, verb.sequential ? 'in turn' : 'at once'),
    ...recording.after,
  ]
}

// freeswitch.md 5.5: without the first two the call ends with the bridge. The ring time holds for all legs together:
// in turn each has its own, `leg_timeout`. Early media would count as an answer: the
// ring time would no longer hold and the first leg to send any would win, so it is not let through. Nor are headers of
// the caller's own (X-…) to the legs, nor a leg's to the caller. FreeSWITCH decodes the caller's name and writes it into
// the legs' From unquoted, so none is shown (`_undef_`): it could be another number, or a header. What it noted of the legs
// of an earlier Dial it would keep, unless told not to.
function bridgeVariables(verb: Dial, { answered }: Place): Action[] {
  return [
    set('hangup_after_bridge', 'false'),
    set('continue_on_fail', 'true'),
    set('ignore_early_media', 'true'),
    set('sip_copy_custom_headers', 'false'),
    set('preserve_originated_vars', 'false'),
    set('effective_caller_id_name', '_undef_'),
    set('call_timeout', String(verb.timeoutSeconds * (verb.sequential ? verb.targets.length : 1))),
    ringBack(answered ? ringTones[verb.ringTone] : null),
    endBridgeOnStar(verb.hangupOnStar),
  ]
}

// FreeSWITCH would begin a recording at once that is to have nothing before the answer, and leave an empty one of a Dial
// that nobody answers. An earlier Dial's may still be meant to begin, if the API has led the call out of that.
function writeRecording(recording: DialRecording | null, { recordingUrl }: Place) {
  if (recording === null) return { before: [recordOnceJoined(null)], after: [] }
  if (recordingUrl === undefined) throw new Error('A Dial that records needs a URL to upload to.')
  const begin =
    recording.from === 'answer'
      ? [recordOnceJoined(recordingUrl)]
      : [recordOnceJoined(null), recordSession(recordingUrl)]
  return { before: [...takeSides(recording), ...begin], after: [stopRecordSession(recordingUrl)] }
}

function actionParams(outcome: NonNullable<Outcome['dial']>): Record<string, string> {
  const { callSid, seconds, recording } = outcome
  return {
    DialCallStatus: dialCallStatus(outcome.disposition),
    ...(callSid === undefined ? {} : { DialCallSid: callSid }),
    ...(seconds === undefined ? {} : { DialCallDuration: String(seconds) }),
    ...(recording === undefined ? {} : recordedParams(recording)),
  }
}

/** DialCallStatus for FreeSWITCH's `originate_disposition` (freeswitch.md 5.5 and 7). */
export function dialCallStatus(disposition: string): DialCallStatus {
  return statuses.get(disposition) ?? 'failed'
}

/** Of the causes with which legs that rang at once have ended, the one that tells most of their Dial: somebody let it ring,
 * else somebody was busy. FreeSWITCH's own is that of the leg dialled last or first. */
export function tellingCause(causes: readonly string[]): string {
  const rank = (cause: string) => telling.indexOf(dialCallStatus(cause))
  return causes.reduce((best, cause) => (rank(cause) > rank(best) ? cause : best), causes[0] ?? '')
}

const telling: readonly DialCallStatus[] = ['failed', 'busy', 'no-answer', 'canceled', 'completed']

/** What an action is told of how its Dial ended. */
export type DialCallStatus = 'completed' | 'busy' | 'no-answer' | 'failed' | 'canceled'

const statuses: ReadonlyMap<string, DialCallStatus> = new Map([
  ['SUCCESS', 'completed'],
  ['USER_BUSY', 'busy'],
  ['NO_ANSWER', 'no-answer'],
  ['ALLOTTED_TIMEOUT', 'no-answer'],
  ['NO_USER_RESPONSE', 'no-answer'],
  // Answered, but hung up while its own TwiML ran, before it was joined.
  ['NORMAL_CLEARING', 'no-answer'],
  ['ORIGINATOR_CANCEL', 'canceled'],
])
