import { promptName } from '../audio/prompt.ts'
import { type RunningCall, roleOf } from '../calls/call.ts'
import { logProblem } from '../calls/log-queries.ts'
import { expectRecording } from '../calls/recordings.ts'
import { ringLegs, type TriedTrunks } from '../dialling/legs.ts'
import { type Action, allowTransfers, disableExpansion } from '../dialplan-action.ts'
import type { Platform } from '../platform.ts'
import type { Problem } from '../twiml/document.ts'
import { readTwiml } from '../twiml/read-twiml.ts'
import { type Facts, stopOf, type Verb, writeSegment } from '../twiml/verb.ts'
import type { WebhookFailure } from '../webhooks/request.ts'
import { holdFor } from './hold.ts'
import { type StoredStep, savePrompts, saveStep } from './queries.ts'

/** What stands before everything that a call is made to do (freeswitch.md 0.7, 5.1). */
export const preamble: readonly Action[] = [disableExpansion(), allowTransfers()]

/** Runs a document that is stored as the call's step already. */
export async function runStored(platform: Platform, call: RunningCall, document: string): Promise<Action[]> {
  const read = readRunnable(document, null)
  const answered = call.status === 'in-progress'
  if ('problem' in read) return refuseDocument(platform, call, read.problem, answered)
  return runDocument(platform, call, read.usable.verbs, 0, answered)
}

/** What a part of a document begins with: trunks on which its Dial has failed, or how often it was waited for what is to be
 * heard (null: it is not to be waited for). */
type Beginning = { tried?: TriedTrunks; waits?: number | null }

/** Writes the part of a document from a verb on. */
export async function runDocument(
  platform: Platform,
  call: RunningCall,
  verbs: readonly Verb[],
  from: number,
  answered: boolean,
  beginning: Beginning = {},
): Promise<Action[]> {
  const { actions, prompts } = await write(platform, call, verbs, from, answered, beginning)
  await savePrompts(platform.db, prompts)
  return actions
}

/** Stores a step and writes its document from the beginning: one statement. Null: a newer document came by the API
 * meanwhile, which the call is to fetch. */
export async function runNew(
  platform: Platform,
  call: RunningCall,
  stored: StoredStep,
  verbs: readonly Verb[],
): Promise<Action[] | null> {
  const { actions, prompts } = await write(platform, call, verbs, 0, call.status === 'in-progress', {})
  return (await saveStep(platform.db, call, stored, prompts)) ? actions : null
}

/** A document that can be run: its verbs, and as sentences what in it is not used as it stands. */
export type Runnable = { verbs: Verb[]; warnings: string[] }

/** Reads a document, or gives as a sentence why none of it can be run. `base` as in `readTwiml`. */
export function readRunnable(
  document: string,
  base: string | null,
): { usable: Runnable } | { problem: string } {
  const twiml = readTwiml(document, base)
  if (!twiml.ok) return { problem: sentence(twiml.problem) }
  return { usable: { verbs: twiml.verbs, warnings: twiml.warnings.slice(0, mostWarnings).map(sentence) } }
}

const mostWarnings = 20
const sentence = ({ line, message }: Problem) => `Line ${line}: ${message}`

async function write(
  platform: Platform,
  call: RunningCall,
  verbs: readonly Verb[],
  from: number,
  answered: boolean,
  { tried, waits = 0 }: Beginning,
) {
  const hold = await holdFor(platform, call, verbs, from, waits)
  const { verb: stop, index = from } = (hold === null ? stopOf(verbs, from) : null) ?? {}
  const at = `${call.step}.${index}`
  const dial = stop?.verb === 'Dial' ? await ringLegs(platform, call, stop, at, tried ?? null) : undefined
  const segment = writeSegment(verbs, from, {
    callId: call.id,
    step: call.step,
    answered,
    role: roleOf(call),
    promptUrl: (source) =>
      `${platform.env.SWITCH_URL}/freeswitch/audio/${promptName(platform.keys, source)}.wav`,
    ...(dial === undefined ? {} : { dial }),
    ...(await recordingFacts(platform, call, stop, at, dial)),
    ...(hold === null ? {} : { hold }),
  })
  const { accountId } = call
  const prompts = segment.prompts.map((source) => ({
    id: promptName(platform.keys, source),
    source,
    accountId,
  }))
  return { actions: segment.actions, prompts }
}

async function recordingFacts(
  platform: Platform,
  call: RunningCall,
  stop: Verb | undefined,
  at: string,
  dial: Facts['dial'],
): Promise<Pick<Facts, 'recordingUrl'>> {
  if (stop?.verb === 'Record') {
    const recorder = { source: 'RecordVerb', verb: at } as const
    return { recordingUrl: await expectRecording(platform, call, recorder, stop.recording, 1) }
  }
  // Where nobody is rung there is nothing to record.
  if (stop?.verb !== 'Dial' || stop.recording === null || dial?.legs.length === 0) return {}
  const recorder = { source: 'DialVerb', verb: at } as const
  const { recording } = stop
  return { recordingUrl: await expectRecording(platform, call, recorder, recording, recording.channels) }
}

/** Tells the caller that something is wrong and ends the call, as Twilio does. */
export async function apologise(platform: Platform, call: RunningCall, answered: boolean): Promise<Action[]> {
  const apology = readTwiml(apologyDocument, null)
  if (!apology.ok) throw new Error(apology.problem.message)
  // It stands nowhere that the call could come back to.
  return runDocument(platform, call, apology.verbs, 0, answered, { waits: null })
}

const apologyDocument =
  '<Response><Say>We are sorry. An application error has occurred. Goodbye.</Say><Hangup/></Response>'

/** The same, with an error log about TwiML that came without a request. */
export async function refuseDocument(
  platform: Platform,
  call: RunningCall,
  problem: string,
  answered: boolean,
): Promise<Action[]> {
  const message = `The TwiML of the call cannot be run. ${problem}`
  await logProblem(platform, call, 'webhook.failed', message, { url: '', problem })
  return apologise(platform, call, answered)
}

/** Tells the carrier what was wrong at each URL that was asked, also when a fallback has saved the call. */
export async function tellFailures(
  platform: Platform,
  call: RunningCall,
  failures: readonly WebhookFailure[],
): Promise<void> {
  for (const { url, problem, code, status, durationMs, excerpt } of failures)
    await logProblem(platform, call, 'webhook.failed', `${url} gave no TwiML that can be run. ${problem}`, {
      url,
      problem,
      code,
      http_status: status,
      duration_ms: durationMs,
      answer: excerpt,
    })
}
