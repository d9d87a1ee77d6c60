import { inOrder } from '../audio/limit.ts'
import { prefetch, type Unmade } from '../audio/render.ts'
import { type RunningCall, roleOf } from '../calls/call.ts'
import { logProblem } from '../calls/log-queries.ts'
import type { Platform } from '../platform.ts'
import type { Hold } from '../twiml/rules.ts'
import { type Sound, soundsOf, type Verb } from '../twiml/verb.ts'
import { within } from './within.ts'

// FreeSWITCH loads a prompt in the thread of the call, which sends no audio and answers no BYE meanwhile
// (freeswitch.md 5.1): what takes longer than this is waited for with silence, like a webhook.
const patienceMilliseconds = 1000
const patienceAgain = 100
const patienceForOthers = 100
// Of the two seconds that FreeSWITCH waits, some are left for the rest.
const latestMilliseconds = 1500
// More than half a minute. Each process makes its own prompts, so processes that fail in turn could go on for ever.
const mostWaits = 20
// What comes later is begun when these are ready, or when the call comes to it: a long document takes no more than this.
const soundsAhead = 4

/** Makes the prompts of a document's next part ready, and gives the verb before which the call is to wait; null: all can
 * be heard now, or never will. `waits` is how often it has waited before the first of them; null: it is not to wait. */
export async function holdFor(
  platform: Platform,
  call: RunningCall,
  verbs: readonly Verb[],
  from: number,
  waits: number | null,
): Promise<Hold | null> {
  const sounds = soundsOf(verbs, from)
  const unready = new Set(sounds)
  let decided = false
  const makeReady = async (sound: Sound) => {
    const urgent = sound === sounds[0]
    if (await made(platform, call, sound.prompts, waits ?? 0, urgent)) unready.delete(sound)
  }
  const first = Promise.all(sounds.slice(0, 1).map(makeReady))
  const others = inOrder(sounds.slice(1), soundsAhead - 1, makeReady, () => !decided)
  // A whisper comes back within a subroutine, which may not nest without end.
  if (waits === null || waits > mostWaits || roleOf(call).kind === 'whisper') return null
  const left = latestMilliseconds - (performance.now() - call.askedAt)
  await within(first, Math.min(waits === 0 ? patienceMilliseconds : patienceAgain, left))
  await within(Promise.all([first, others]), Math.min(patienceForOthers, left))
  decided = true
  const [next] = unready
  if (next === undefined) return null
  return { index: next.index, waits: next.index === from ? waits : 0 }
}

// Made while FreeSWITCH reads the document and plays what stands before; what cannot be made is told to the carrier, by
// the part that asked for it first. False: others came first, so that it is neither made nor given up.
async function made(
  platform: Platform,
  call: RunningCall,
  prompts: Sound['prompts'],
  waits: number,
  urgent: boolean,
): Promise<boolean> {
  try {
    const unmade = await prefetch(platform, { accountId: call.accountId, urgent }, prompts)
    if (unmade === null) return false
    for (const one of unmade) if (waits === 0 || one.tried) await tell(platform, call, one)
  } catch (error) {
    platform.log.error({ err: error, callId: call.id }, 'Prompts could not be made ready')
  }
  return true
}

function tell(platform: Platform, call: RunningCall, { source, problem, heard }: Unmade): Promise<void> {
  const what = heard === 'nothing' ? 'A prompt cannot be heard.' : 'A prompt is heard as it was before.'
  return logProblem(platform, call, `${source.kind}.failed`, `${what} ${problem}`, { source })
}

/** Where a call waits for a prompt, from the channel's own position (`<step>.wait.<index>.<waits>`); null when it does
 * not, or in an older document than the call's newest. */
export function holdIn(at: string | null, step: number): Hold | null {
  const [, ofStep, index, waits] = /^(\d{1,9})\.wait\.(\d{1,9})\.(\d{1,3})$/.exec(at ?? '') ?? []
  return Number(ofStep) === step ? { index: Number(index), waits: Number(waits) } : null
}
