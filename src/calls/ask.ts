import { type PromptSource, promptName } from '../audio/prompt.ts'
import { prefetch } from '../audio/render.ts'
import { type Action, comeBack, play, set, silence } from '../dialplan-action.ts'
import type { Platform } from '../platform.ts'
import { decrypt } from '../secrets.ts'
import { readTwiml } from '../twiml/read-twiml.ts'
import { stopOf, type Verb, writeSegment } from '../twiml/verb.ts'
import { callParams } from '../webhooks/params.ts'
import { askWebhook, type WebhookAnswer } from '../webhooks/request.ts'
import type { RunningCall, WebhookStep } from './call.ts'
import { ringLegs } from './legs.ts'
import { insertErrorLog } from './log-queries.ts'
import { beginRecording } from './recordings.ts'
import type { StartingStep } from './start.ts'
import { type StoredStep, savePrompts, saveStep } from './step-queries.ts'

// The thread of a call sends no audio and answers no BYE while its fetch is open (freeswitch.md 5.1): what is not there
// by now is fetched by the call itself, after a little silence.
const patienceMilliseconds = 1500
// A document that redirects to itself for ever ends here.
const mostSteps = 1000

/** Takes a call's next step: its actions when the document is there soon enough, else a little silence. */
export async function continueCall(
  platform: Platform,
  call: RunningCall,
  start: StartingStep,
): Promise<Action[]> {
  if (start.step > mostSteps)
    return giveUp(platform, call, `The call has asked for TwiML ${mostSteps} times.`)
  call.step = start.step
  if (start.source.kind === 'document') {
    const stored = { ...noRequest, document: start.source.text }
    return run(platform, call, stored, call.status === 'in-progress')
  }
  const { url, method, params = {} } = start.source
  return ask(platform, call, { url, method, params: { ...callParams(call), ...params } }, 'new')
}

/** Runs a document that is stored as the call's step already. */
export async function runStored(platform: Platform, call: RunningCall, document: string): Promise<Action[]> {
  const usable = usableVerbs({ ...noRequest, document })
  const answered = call.status === 'in-progress'
  if ('problem' in usable) return apologise(platform, call, '', usable.problem, answered)
  return runDocument(platform, call, usable.verbs, 0, answered)
}

/** Asks a webhook again whose server process did not live to hear the answer. */
export async function askAgain(platform: Platform, call: RunningCall, lost: WebhookStep): Promise<Action[]> {
  return ask(platform, call, lost, 'stored')
}

/** Lets a call wait for its webhook: silence that keeps RTP going, longer the longer it has taken, and back to us. */
export function wait(call: Pick<RunningCall, 'id' | 'step'>, ageSeconds: number): Action[] {
  const milliseconds = Math.round(Math.min(Math.max(ageSeconds * 250, 250), 2000))
  return [play([silence(milliseconds)]), set('twiml_at', `${call.step}.start`), comeBack(call.id)]
}

/** Writes the part of a document from a verb on. */
export async function runDocument(
  platform: Platform,
  call: RunningCall,
  verbs: readonly Verb[],
  from: number,
  answered: boolean,
): Promise<Action[]> {
  const { actions, prompts } = await write(platform, call, verbs, from, answered)
  await savePrompts(platform.db, prompts)
  return actions
}

type Asked = { url: string; method: 'GET' | 'POST'; params: Record<string, string> }

/** A stored step that came without a request: its document is still to be added. */
export const noRequest: StoredStep = {
  state: 'answered',
  method: 'POST',
  url: '',
  params: {},
  finalUrl: null,
  document: null,
  httpStatus: null,
  durationMs: null,
  problem: null,
}

async function ask(
  platform: Platform,
  call: RunningCall,
  asked: Asked,
  row: 'new' | 'stored',
): Promise<Action[]> {
  const answering = askWebhook(platform, {
    ...asked,
    authToken: decrypt(platform.keys, `accounts:${call.accountId}`, call.authTokenEncrypted),
    fallback: fallbackOf(call),
  }).then((answer) => {
    platform.metrics.askedWebhook(answer.kind, answer.durationMs)
    return answer
  })
  const soon = row === 'new' ? await within(answering, patienceMilliseconds) : null
  if (soon !== null) return run(platform, call, toStored(asked, soon), call.status === 'in-progress')
  if (row === 'new')
    await saveStep(platform.db, call.id, call.step, { ...noRequest, ...asked, state: 'pending' })
  answering
    .then((late) => storeLate(platform, call, toStored(asked, late)))
    .catch((error) =>
      platform.log.error({ err: error, callId: call.id }, 'A webhook answer could not be stored'),
    )
  return wait(call, 0)
}

function fallbackOf({ instructions }: RunningCall) {
  const { fallbackUrl, fallbackMethod = 'POST' } = instructions
  return fallbackUrl === undefined ? null : { url: fallbackUrl, method: fallbackMethod }
}

async function within<Value>(promise: Promise<Value>, milliseconds: number): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function toStored({ url, method, params }: Asked, answer: WebhookAnswer): StoredStep {
  const asked = { ...noRequest, url, method, params, durationMs: Math.round(answer.durationMs) }
  if (answer.kind === 'failed')
    return { ...asked, state: 'failed', problem: answer.problem, httpStatus: answer.status }
  return { ...asked, document: answer.document, finalUrl: answer.finalUrl, httpStatus: answer.status }
}

// The call picks the answer up by itself; what it needs is only there for it.
async function storeLate(platform: Platform, call: RunningCall, stored: StoredStep): Promise<void> {
  await saveStep(platform.db, call.id, call.step, stored)
}

async function run(
  platform: Platform,
  call: RunningCall,
  stored: StoredStep,
  answered: boolean,
): Promise<Action[]> {
  const usable = usableVerbs(stored)
  if ('problem' in usable) {
    await saveStep(platform.db, call.id, call.step, stored)
    return apologise(platform, call, stored.url, usable.problem, answered)
  }
  const { actions, prompts } = await write(platform, call, usable.verbs, 0, answered)
  const saved = await saveStep(platform.db, call.id, call.step, stored, prompts)
  // A newer document came by the API meanwhile: the call is to fetch that.
  return saved ? actions : wait(call, 0)
}

/** The verbs of a stored step, or why there are none to run. */
export function usableVerbs(stored: Pick<StoredStep, 'state' | 'document' | 'finalUrl' | 'problem'>) {
  if (stored.state === 'failed' || stored.document === null)
    return { problem: stored.problem ?? 'There is no document.' }
  const twiml = readTwiml(stored.document, stored.finalUrl)
  if (twiml.ok) return { verbs: twiml.verbs }
  return { problem: `Line ${twiml.problem.line}: ${twiml.problem.message}` }
}

async function write(
  platform: Platform,
  call: RunningCall,
  verbs: readonly Verb[],
  from: number,
  answered: boolean,
) {
  const stop = stopOf(verbs, from)?.verb
  const segment = writeSegment(verbs, from, {
    callId: call.id,
    step: call.step,
    answered,
    role: call.direction === 'outbound-dial' ? 'whisper' : 'call',
    promptUrl: (source) =>
      `${platform.env.SWITCH_URL}/freeswitch/audio/${promptName(platform.keys, source)}.wav`,
    ...(stop?.verb === 'Dial' ? { dial: await ringLegs(platform, call, stop) } : {}),
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

/** Tells the caller that something is wrong and ends the call, as Twilio does, with an error log that says what. */
export async function apologise(
  platform: Platform,
  call: RunningCall,
  url: string,
  problem: string,
  answered: boolean,
): Promise<Action[]> {
  const message =
    url === ''
      ? `The TwiML of the call cannot be run. ${problem}`
      : `${url} gave no TwiML that can be run. ${problem}`
  await logProblem(platform, call, 'webhook.failed', message, { url, problem })
  const apology = readTwiml(apologyDocument, null)
  if (!apology.ok) throw new Error(apology.problem.message)
  return runDocument(platform, call, apology.verbs, 0, answered)
}

const apologyDocument =
  '<Response><Say>We are sorry. An application error has occurred. Goodbye.</Say><Hangup/></Response>'

async function giveUp(platform: Platform, call: RunningCall, problem: string): Promise<Action[]> {
  return apologise(platform, call, '', problem, call.status === 'in-progress')
}

/** Stores an error log about a call. */
export async function logProblem(
  platform: Platform,
  call: RunningCall,
  type: string,
  message: string,
  details: Record<string, unknown>,
): Promise<void> {
  const { carrierId, accountId, sipTrunkId, id } = call
  await insertErrorLog(platform.db, { carrierId, accountId, sipTrunkId, callId: id, type, message, details })
}
