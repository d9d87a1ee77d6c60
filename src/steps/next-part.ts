import { isOver, type PlacingOrder, type RunningCall, roleOf, type WebhookStep } from '../calls/call.ts'
import { advance } from '../calls/progress.ts'
import { openRecordingsOfDials } from '../calls/recording-queries.ts'
import { expectRecording, recordedBy } from '../calls/recordings.ts'
import { positionIn, type Returning } from '../calls/returning.ts'
import { dropReturn } from '../calls/wish-queries.ts'
import { dialOutcome, endRestOfLegs, legsOver } from '../dialling/end.ts'
import { trunksTriedInVain } from '../dialling/failover.ts'
import type { TriedTrunks } from '../dialling/legs.ts'
import {
  type Action,
  hangUp,
  hangUpAfter,
  recordSession,
  sendDigits,
  stopRecordSession,
} from '../dialplan-action.ts'
import { noteInLog } from '../log.ts'
import type { Platform } from '../platform.ts'
import { isUuid } from '../sid.ts'
import type { Dial } from '../twiml/dial.ts'
import { takeSides } from '../twiml/recording.ts'
import type { Outcome } from '../twiml/rules.ts'
import { after, type Verb } from '../twiml/verb.ts'
import { askAgain, continueCall, wait } from './ask.ts'
import { holdIn } from './hold.ts'
import { claimExpiredStep, runningCall } from './queries.ts'
import { apologise, preamble, readRunnable, refuseDocument, runDocument } from './run.ts'
import { startOf } from './start.ts'

/** The next part of a call's TwiML, or null when the channel is not that call's: the channel's UUID, which no stranger
 * knows, is the proof. The position is the channel's own (`twiml_at`), the step the database's: a newer step than the
 * channel's is a document that the call was given meanwhile. */
export async function nextPart(platform: Platform, returning: Returning): Promise<Action[] | null> {
  if (!isUuid(returning.destination)) return null
  const found = await runningCall(platform.db, returning.destination, returning.channelUuid)
  if (found === null) return null
  noteInLog({ callId: found.call.id })
  const { current } = found
  const call = { ...found.call, depth: returning.depth }
  if (returning.answered && call.status !== 'in-progress')
    Object.assign(call, await answer(platform, call, returning))
  const { wish } = call.instructions
  if (isOver(call.status) || wish === 'hang up') return [...preamble, hangUp()]
  const left = wish === 'come back' ? await leaveWhatItDid(platform, call) : []
  const role = roleOf(call)
  if (role.kind === 'whisper' && role.depth >= mostDepth)
    return [...preamble, ...(await refuseDocument(platform, call, tooDeep, true))]
  const actions =
    current === null ? await begin(platform, call) : await resume(platform, call, current, returning)
  return [...preamble, ...left, ...actions]
}

// Each part of a whisper runs within the one before it, and FreeSWITCH leaves out what would be the 34th of them (its
// SWITCH_MAX_STACKS; tried on 1.10.12): the whisper would be through then, and the leg joined whatever it was asked.
const mostDepth = 24
const tooDeep = `A leg has ${mostDepth} steps before it is joined; after them it was hung up, and joined with nobody.`

// The API has taken the call out of a verb; out of a Dial, whose legs nobody waits for any more and whose recording would
// go on through whatever comes next.
async function leaveWhatItDid(platform: Platform, call: RunningCall): Promise<Action[]> {
  await dropReturn(platform.db, call)
  if (call.direction === 'outbound-dial') call.instructions = { ...call.instructions, leftDial: true }
  await endRestOfLegs(platform, call, 'ORIGINATOR_CANCEL')
  return (await openRecordingsOfDials(platform.db, call)).map(stopRecordSession)
}

// By then the API may have given it another document to begin with.
async function answer({ db }: Platform, { id }: RunningCall, { ringingAt }: Returning) {
  const moved = await advance(db, { id }, { ringingAt, answeredAt: new Date() })
  return moved === null ? {} : { status: moved.status, instructions: moved.instructions }
}

async function begin(platform: Platform, call: RunningCall): Promise<Action[]> {
  const { first } = call.instructions
  if (first === undefined) return [hangUp()]
  return [...(await openingOf(platform, call)), ...(await continueCall(platform, call, startOf(call, first)))]
}

// What an API call does before its TwiML.
async function openingOf(platform: Platform, call: RunningCall): Promise<Action[]> {
  const { order } = call.instructions
  if (order === undefined) return []
  const { recording, sendDigits: digits } = order
  return [
    hangUpAfter(order.timeLimitSeconds),
    ...(recording === undefined ? [] : await recordWhole(platform, call, recording)),
    ...(digits === undefined ? [] : sendDigits(digits)),
  ]
}

async function recordWhole(
  platform: Platform,
  call: RunningCall,
  recording: NonNullable<PlacingOrder['recording']>,
): Promise<Action[]> {
  const recorder = { source: 'OutboundAPI', verb: null } as const
  const url = await expectRecording(platform, call, recorder, recording, recording.channels)
  return [...takeSides(recording), recordSession(url)]
}

async function resume(
  platform: Platform,
  call: RunningCall,
  current: WebhookStep,
  returning: Returning,
): Promise<Action[]> {
  const { answered } = returning
  if (current.state === 'pending') {
    if (current.expired && (await claimExpiredStep(platform.db, call)))
      return askAgain(platform, call, current)
    return wait(call, current.ageSeconds)
  }
  if (current.state === 'failed' || current.document === null) return apologise(platform, call, answered)
  const read = readRunnable(current.document, current.finalUrl)
  if ('problem' in read) return refuseDocument(platform, call, read.problem, answered)
  const { verbs } = read.usable
  const held = holdIn(returning.outcome.at, call.step)
  if (held !== null)
    return runDocument(platform, call, verbs, held.index, answered, { waits: held.waits + 1 })
  const index = positionIn(returning.outcome.at, call.step)
  if (index === null) return runDocument(platform, call, verbs, 0, answered)
  const verb = verbs[index]
  if (verb === undefined) return [hangUp()]
  if (verb.verb === 'Dial') {
    const tried = await waitForDial(platform, call, verb, returning.outcome)
    if (tried !== null) return runDocument(platform, call, verbs, index, answered, { tried })
  }
  const next = after(verb, await outcomeOf(platform, call, verb, returning))
  if (next.next === 'end') return [hangUp()]
  if (next.next === 'continue') return runDocument(platform, call, verbs, index + 1, answered)
  const { url, method, params } = next
  return continueCall(platform, call, startOf(call, { kind: 'webhook', url, method, params }))
}

// What a Dial came to may not be known yet, or not have been its last word: then the trunks that it was tried on in vain.
async function waitForDial(
  platform: Platform,
  call: RunningCall,
  dial: Dial,
  outcome: Returning['outcome'],
): Promise<TriedTrunks | null> {
  await legsOver(platform, call, dial, outcome)
  const { at, disposition } = outcome
  return disposition === null || at === null ? null : trunksTriedInVain(platform, call, dial, at, disposition)
}

/** How a verb ended, from the channel variables and the records of its recording or legs. */
export async function outcomeOf(
  platform: Platform,
  call: RunningCall,
  verb: Verb,
  { outcome }: Pick<Returning, 'outcome'>,
): Promise<Outcome> {
  switch (verb.verb) {
    case 'Gather':
      return { digits: outcome.digits ?? '', finishedOnKey: outcome.finishedOnKey ?? '' }
    case 'Dial':
      return { dial: await dialEnd(platform, call, verb, outcome) }
    case 'Record':
      return recordEnd(platform, call, outcome)
    default:
      return {}
  }
}

async function dialEnd(platform: Platform, call: RunningCall, dial: Dial, outcome: Returning['outcome']) {
  const ended = await dialOutcome(platform, call, dial, outcome)
  const { at } = outcome
  const taken = dial.recording === null || at === null ? null : await recordedBy(platform, call, at)
  return taken === null ? ended : { ...ended, recording: taken }
}

async function recordEnd(
  platform: Platform,
  call: RunningCall,
  { at, terminator }: Returning['outcome'],
): Promise<Outcome> {
  const taken = at === null ? null : await recordedBy(platform, call, at)
  return taken === null ? {} : { record: { ...taken, endedBy: terminator ?? '' } }
}
