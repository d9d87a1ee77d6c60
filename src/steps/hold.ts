import { prefetch, type Unmade } from '../audio/render.ts'
import { type RunningCall, roleOf } from '../calls/call.ts'
import { logProblem } from '../calls/log-queries.ts'
import type { Platform } from '../platform.ts'
import type { Hold } from '../twiml/rules.ts'
import { type Sound, soundsOf, type Verb } from '../twiml/verb.ts'

// FreeSWITCH loads a prompt in the thread of the call, which sends no audio and answers no BYE meanwhile
// (freeswitch.md 5.1): what takes longer than this is waited for with silence, like a webhook.
const patienceMilliseconds = 1000
const patienceAgain = 100
const patienceForOthers = 100
// Of the two seconds that FreeSWITCH waits, some are left for the rest.
const latestMilliseconds = 1500
// More than half a minute. Each process makes its own prompts, so processes that fail in turn could go on for ever.
const mostWaits = 20

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
  const making = sounds.map((sound) =>
    makeReady(platform, call, sound.prompts, waits ?? 0).finally(() => unready.delete(sound)),
  )
  // A whisper comes back within a subroutine, which may not nest without end.
  if (waits === null || waits > mostWaits || roleOf(call).kind === 'whisper') return null
  const left = latestMilliseconds - (performance.now() - call.askedAt)
  await anyOf(making.slice(0, 1), Math.min(waits === 0 ? patienceMilliseconds : patienceAgain, left))
  await anyOf(making, Math.min(patienceForOthers, left))
  const [first] = unready
  if (first === undefined) return null
  return { index: first.index, waits: first.index === from ? waits : 0 }
}

async function anyOf(making: readonly Promise<void>[], milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, milliseconds))
  })
  await Promise.race([Promise.all(making), late]).finally(() => clearTimeout(timer))
}

// Made while FreeSWITCH reads the document and plays what stands before; what cannot be made is told to the carrier, by
// the part that asked for it first.
async function makeReady(
  platform: Platform,
  call: RunningCall,
  prompts: Sound['prompts'],
  waits: number,
): Promise<void> {
  try {
    for (const unmade of await prefetch(platform, prompts))
      if (waits === 0) await tell(platform, call, unmade)
  } catch (error) {
    platform.log.error({ err: error, callId: call.id }, 'Prompts could not be made ready')
  }
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
