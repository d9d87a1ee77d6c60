import { type PromptSource, promptName } from '../audio/prompt.ts'
import { prefetch } from '../audio/render.ts'
import type { Action } from '../dialplan-action.ts'
import type { Platform } from '../platform.ts'
import { readTwiml } from '../twiml/read-twiml.ts'
import { stopOf, type Verb, writeSegment } from '../twiml/verb.ts'
import type { WebhookFailure } from '../webhooks/request.ts'
import type { RunningCall } from './call.ts'
import { ringLegs, type TriedTrunks } from './legs.ts'
import { logProblem } from './log-queries.ts'
import { beginRecording } from './recordings.ts'
import { type StoredStep, savePrompts, saveStep } from './step-queries.ts'

/** Runs a document that is stored as the call's step already. */
export async function runStored(platform: Platform, call: RunningCall, document: string): Promise<Action[]> {
  const read = usableVerbs(document, null)
  const answered = call.status === 'in-progress'
  if ('problem' in read) return refuseDocument(platform, call, read.problem, answered)
  return runDocument(platform, call, read.usable, 0, answered)
}

/** Writes the part of a document from a verb on; `tried`: trunks on which the Dial that it begins with has failed. */
export async function runDocument(
  platform: Platform,
  call: RunningCall,
  verbs: readonly Verb[],
  from: number,
  answered: boolean,
  tried: TriedTrunks | null = null,
): Promise<Action[]> {
  const { actions, prompts } = await write(platform, call, verbs, from, answered, tried)
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
  const { actions, prompts } = await write(platform, call, verbs, 0, call.status === 'in-progress', null)
  return (await saveStep(platform.db, call, stored, prompts)) ? actions : null
}

/** The verbs of a document, or as a sentence why there are none to run. `base` as in `readTwiml`. */
export function usableVerbs(document: string, base: string | null): { usable: Verb[] } | { problem: string } {
  const twiml = readTwiml(document, base)
  if (twiml.ok) return { usable: twiml.verbs }
  return { problem: `Line ${twiml.problem.line}: ${twiml.problem.message}` }
}

async function write(
  platform: Platform,
  call: RunningCall,
  verbs: readonly Verb[],
  from: number,
  answered: boolean,
  tried: TriedTrunks | null,
) {
  const { verb: stop, index = from } = stopOf(verbs, from) ?? {}
  const at = `${call.step}.${index}`
  const segment = writeSegment(verbs, from, {
    callId: call.id,
    step: call.step,
    answered,
    role: call.direction === 'outbound-dial' ? 'whisper' : 'call',
    promptUrl: (source) =>
      `${platform.env.SWITCH_URL}/freeswitch/audio/${promptName(platform.keys, source)}.wav`,
    ...(stop?.verb === 'Dial' ? { dial: await ringLegs(platform, call, stop, at, tried) } : {}),
    ...(await recordingFacts(platform, call, stop)),
  })
  prepare(platform, call, segment.prompts)
  const prompts = segment.prompts.map((source) => ({ id: promptName(platform.keys, source), source }))
  return { actions: segment.actions, prompts }
}

// Made while FreeSWITCH reads the document and plays what stands before; what cannot be made is told to the carrier.
function prepare(platform: Platform, call: RunningCall, sources: readonly PromptSource[]): void {
  prefetch(platform, sources)
    .then(async (failed) => {
      for (const { source, problem } of failed)
        await logProblem(platform, call, `${source.kind}.failed`, `A prompt cannot be heard. ${problem}`, {
          source,
        })
    })
    .catch((error) => platform.log.error({ err: error, callId: call.id }, 'Prompts could not be made ready'))
}

async function recordingFacts(platform: Platform, call: RunningCall, stop: Verb | undefined) {
  if (stop?.verb === 'Record')
    return { recordingUrl: await beginRecording(platform, call, 'RecordVerb', stop.recording, 1) }
  if (stop?.verb !== 'Dial' || stop.recording === null) return {}
  return {
    recordingUrl: await beginRecording(platform, call, 'DialVerb', stop.recording, stop.recording.channels),
  }
}

/** Tells the caller that something is wrong and ends the call, as Twilio does. */
export async function apologise(platform: Platform, call: RunningCall, answered: boolean): Promise<Action[]> {
  const apology = readTwiml(apologyDocument, null)
  if (!apology.ok) throw new Error(apology.problem.message)
  return runDocument(platform, call, apology.verbs, 0, answered)
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
