import { type RunningCall, roleOf, type WebhookStep } from '../calls/call.ts'
import { type Action, play, silence } from '../dialplan-action.ts'
import type { Platform } from '../platform.ts'
import { decrypt } from '../secrets.ts'
import { comeBackFrom, type Role } from '../twiml/rules.ts'
import { callParams } from '../webhooks/params.ts'
import { askWebhook, type WebhookAnswer } from '../webhooks/request.ts'
import { expireSteps, noRequest, type StoredStep, saveStep } from './queries.ts'
import { apologise, type Runnable, readRunnable, refuseDocument, runNew, tellFailures } from './run.ts'
import type { StartingStep } from './start.ts'
import { within } from './within.ts'

// The thread of a call sends no audio and answers no BYE while its fetch is open (freeswitch.md 5.1): what is not there
// by now is fetched by the call itself, after a little silence. A database that was slow to find the call will be as slow
// to store what it waits for: twice the time that has gone is taken off.
const patienceMilliseconds = 1200
const patienceFor = ({ askedAt }: RunningCall) =>
  Math.max(0, patienceMilliseconds - 2 * (performance.now() - askedAt))

// A document that redirects to itself for ever ends here.
const mostSteps = 1000

/** Takes a call's next step: its actions when the document is there soon enough, else a little silence. */
export async function continueCall(
  platform: Platform,
  call: RunningCall,
  start: StartingStep,
): Promise<Action[]> {
  const answered = call.status === 'in-progress'
  if (start.step > mostSteps)
    return refuseDocument(platform, call, `The call has asked for TwiML ${mostSteps} times.`, answered)
  call.step = start.step
  if (start.source.kind === 'document') return runGiven(platform, call, start.source.text)
  const { url, method, params = {} } = start.source
  return askNew(platform, call, { url, method, params: { ...callParams(call), ...params } })
}

async function runGiven(platform: Platform, call: RunningCall, document: string): Promise<Action[]> {
  const stored = { ...noRequest, document }
  const read = readRunnable(document, null)
  if ('usable' in read) {
    const { verbs, warnings } = read.usable
    return (await runNew(platform, call, { ...stored, warnings }, verbs)) ?? wait(call, 0)
  }
  await saveStep(platform.db, call, stored)
  return refuseDocument(platform, call, read.problem, call.status === 'in-progress')
}

/** Asks a webhook again whose server process did not live to hear the answer. */
export async function askAgain(platform: Platform, call: RunningCall, lost: WebhookStep): Promise<Action[]> {
  storeLate(platform, call, lost, ask(platform, call, lost))
  return wait(call, 0)
}

/** Lets a call wait for its webhook: silence that keeps RTP going, longer the longer it has taken, and back to us. Each
 * time is a fetch, so many calls that wait for one slow customer must not come often. */
export function wait(call: RunningCall, ageSeconds: number): Action[] {
  const role = roleOf(call)
  const { least, most } = waitSeconds[role.kind]
  const milliseconds = Math.round(Math.min(Math.max(ageSeconds, least), most) * 1000)
  return [play([silence(milliseconds)]), ...comeBackFrom({ callId: call.id, role }, `${call.step}.start`)]
}

// Each wait of a whisper stands within the one before it, which FreeSWITCH lets them do some thirty times: these are eleven
// in the half minute that a webhook and its fallback may take.
const waitSeconds: Record<Role['kind'], { least: number; most: number }> = {
  call: { least: 0.5, most: 2 },
  whisper: { least: 1, most: 4 },
}

type Asked = { url: string; method: 'GET' | 'POST'; params: Record<string, string> }

async function askNew(platform: Platform, call: RunningCall, asked: Asked): Promise<Action[]> {
  const answering = ask(platform, call, asked)
  const soon = await within(answering, patienceFor(call))
  if (soon !== null) return run(platform, call, asked, soon)
  await saveStep(platform.db, call, { ...noRequest, ...asked, state: 'pending' })
  storeLate(platform, call, asked, answering)
  return wait(call, 0)
}

async function ask(platform: Platform, call: RunningCall, asked: Asked): Promise<WebhookAnswer<Runnable>> {
  const answer = await askWebhook(platform, {
    ...asked,
    authToken: decrypt(platform.keys, `accounts:${call.accountId}`, call.authTokenEncrypted),
    fallback: fallbackOf(call),
    cookies: call.instructions.cookies ?? null,
    read: readRunnable,
  })
  platform.metrics.askedWebhook(answer.kind, answer.durationMs)
  return answer
}

function fallbackOf({ instructions }: RunningCall) {
  const { fallbackUrl, fallbackMethod = 'POST' } = instructions
  return fallbackUrl === undefined ? null : { url: fallbackUrl, method: fallbackMethod }
}

async function run(
  platform: Platform,
  call: RunningCall,
  asked: Asked,
  answer: WebhookAnswer<Runnable>,
): Promise<Action[]> {
  await tellFailures(platform, call, answer.failures)
  const stored = toStored(asked, answer)
  if (answer.kind === 'answered')
    return (await runNew(platform, call, stored, answer.usable.verbs)) ?? wait(call, 0)
  await saveStep(platform.db, call, stored)
  return apologise(platform, call, call.status === 'in-progress')
}

function toStored({ url, method, params }: Asked, answer: WebhookAnswer<Runnable>): StoredStep {
  const { durationMs, failures, cookies } = answer
  const problem = failures.length === 0 ? null : failures.map((failure) => failure.problem).join(' ')
  const asked = { ...noRequest, url, method, params, durationMs, problem, cookies }
  if (answer.kind === 'answered') {
    const { document, finalUrl, status: httpStatus, usable } = answer
    return { ...asked, document, finalUrl, httpStatus, warnings: usable.warnings }
  }
  const last = failures.at(-1)
  return { ...asked, state: 'failed', httpStatus: last?.status ?? null, document: last?.excerpt ?? null }
}

// The call picks the answer up by itself; what it needs is only there for it.
function storeLate(
  platform: Platform,
  call: RunningCall,
  asked: Asked,
  answering: Promise<WebhookAnswer<Runnable>>,
): void {
  const open = openRequests(platform)
  const request = { callId: call.id, step: call.step }
  open.add(request)
  answering
    .then(async (answer) => {
      // Another process asks again after a stop: its answer is to be the one.
      if (!open.delete(request)) return
      await saveStep(platform.db, call, toStored(asked, answer))
      await tellFailures(platform, call, answer.failures)
    })
    .catch((error) =>
      platform.log.error({ err: error, callId: call.id }, 'A webhook answer could not be stored'),
    )
}

// The late requests of each server process that this one plays: one, but in tests.
const open = new WeakMap<object, Set<{ callId: string; step: number }>>()

function openRequests({ database }: Platform) {
  const requests = open.get(database) ?? new Set()
  open.set(database, requests)
  return requests
}

/** Gives up the webhooks that this process still waits for, so that another asks them again at once. */
export async function letGoOfWebhooks(platform: Platform): Promise<void> {
  const requests = openRequests(platform)
  const lost = [...requests]
  requests.clear()
  if (lost.length > 0) await expireSteps(platform.db, lost)
}
