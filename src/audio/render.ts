import { eq } from 'drizzle-orm'
import * as v from 'valibot'
import { audioPrompts } from '../db/schema.ts'
import type { Platform } from '../platform.ts'
import { type Cached, cacheFor, keep, lookUp } from './cache.ts'
import { inOrder, type Wish } from './limit.ts'
import { make, type Order } from './make.ts'
import { type PromptSource, PromptSourceSchema, promptName } from './prompt.ts'
import { speak } from './speech.ts'

/** A prompt's audio as a telephone WAV file, for how many seconds it may be used, and why it is no newer one when it should
 * be; or why there is none. */
export type Rendered = { path: string; maxAgeSeconds: number; outdated: string | null } | Failure

type Failure = { problem: string; busy: boolean }

/** What was wrong with a prompt, and what is heard of it: nothing, or what was heard before. `tried`: this was no other's
 * attempt. */
export type Unmade = { source: PromptSource; problem: string; heard: 'nothing' | 'as before'; tried: boolean }

type Rendering = Pick<Platform, 'db' | 'env' | 'keys'>

/** The audio of a stored prompt by its name: from the cache, or made now. One that is being made is waited for. */
export async function renderPrompt(platform: Rendering, id: string): Promise<Rendered> {
  if (!/^[0-9a-f]{32}$/.test(id)) return noSuchPrompt
  return obtain(platform, id, () => storedOrder(platform, id), true)
}

const noSuchPrompt: Failure = { problem: 'There is no such prompt.', busy: false }

/** Makes prompts ready before FreeSWITCH asks for them, in the account's share of the work: a few at a time, so that what
 * is heard first is there first. Gives those that cannot be made, and why; null when some were not, since others came
 * first. `urgent`: a call waits for them. */
export async function prefetch(
  platform: Rendering,
  { accountId, urgent }: { accountId: string; urgent: boolean },
  sources: readonly PromptSource[],
): Promise<Unmade[] | null> {
  const unmade: Unmade[] = []
  let putOff = false
  await inOrder(sources, promptsAtOnce, async (source) => {
    const id = promptName(platform.keys, source)
    let tried = false
    const find = async () => {
      tried = true
      return { source, accountId }
    }
    const rendered = await obtain(platform, id, find, urgent)
    if (!('problem' in rendered)) {
      const problem = rendered.outdated
      if (problem !== null) unmade.push({ source, problem, heard: 'as before', tried })
    } else if (rendered.busy && !urgent) putOff = true
    else unmade.push({ source, problem: rendered.problem, heard: 'nothing', tried })
  })
  return putOff ? null : unmade
}

const promptsAtOnce = 4

/** Whether the speech program is there: null when it speaks, else what is wrong. Tried at most once a minute. */
export async function speechProblem(env: Platform['env']): Promise<string | null> {
  if (tried === null || tried.command !== env.TTS_COMMAND || Date.now() - tried.at > 60_000) {
    const speaking = speak(env, 'Ready.', { voice: 'woman', language: 'en-US' })
    tried = { command: env.TTS_COMMAND, at: Date.now(), result: speaking }
  }
  const result = await tried.result
  return 'problem' in result ? result.problem : null
}

let tried: { command: string; at: number; result: ReturnType<typeof speak> } | null = null

async function storedOrder({ db }: Rendering, id: string): Promise<Order | null> {
  const [row] = await db
    .select({ source: audioPrompts.source, accountId: audioPrompts.accountId })
    .from(audioPrompts)
    .where(eq(audioPrompts.id, id))
  if (row === undefined) return null
  return { source: v.parse(PromptSourceSchema, row.source), accountId: row.accountId ?? 'nobody' }
}

type Find = () => Promise<Order | null>

async function obtain(platform: Rendering, id: string, find: Find, urgent: boolean): Promise<Rendered> {
  const cache = cacheFor(platform.env)
  const cached = await lookUp(cache, id)
  if (cached !== null && cached.freshUntil.getTime() > Date.now()) return toRendered(cached)
  const key = `${cache.folder}/${id}`
  const failure = failures.get(key)
  if (failure !== undefined && failure.until > Date.now()) return instead(cached, failure)
  const running = underWay.get(key)
  if (running === undefined) {
    const wish = { urgent }
    const making = makeNew(platform, id, find, cached, wish).finally(() => underWay.delete(key))
    underWay.set(key, { making, wish })
    return making
  }
  if (urgent) running.wish.urgent = true
  const made = await running.making
  // What was made ahead may have waited its time already when the call came.
  return urgent && 'problem' in made && made.busy ? obtain(platform, id, find, urgent) : made
}

// One file is made once at a time.
const underWay = new Map<string, { making: Promise<Rendered>; wish: Wish }>()

// What could not be made is not tried again at once: a loop would ask for it a thousand times.
const failures = new Map<string, Failure & { until: number }>()
const failureMilliseconds = 10_000
const mostFailures = 1000

async function makeNew(
  platform: Rendering,
  id: string,
  find: Find,
  stale: Cached | null,
  wish: Wish,
): Promise<Rendered> {
  const wasUrgent = wish.urgent
  const order = await find()
  if (order === null) return noSuchPrompt
  const made = await make(platform.env, order, wish)
  if (!('problem' in made))
    return toRendered(await keep(cacheFor(platform.env), id, made.wav, made.freshUntil))
  if (wasUrgent || !made.busy) noteFailure(`${cacheFor(platform.env).folder}/${id}`, made.problem)
  return instead(stale, made)
}

function noteFailure(key: string, problem: string): void {
  if (failures.size >= mostFailures) failures.clear()
  failures.set(key, { problem, busy: false, until: Date.now() + failureMilliseconds })
}

// What was heard before is better than nothing.
const instead = (stale: Cached | null, { problem, busy }: Failure): Rendered =>
  stale === null ? { problem, busy } : { ...toRendered(stale), outdated: problem }

// A switch that asks again costs one read of a file; one that keeps prompts for long has its disk full of them.
const mostSeconds = 3600

function toRendered({ path, freshUntil }: Cached) {
  const seconds = Math.round((freshUntil.getTime() - Date.now()) / 1000)
  return { path, maxAgeSeconds: Math.min(Math.max(seconds, 0), mostSeconds), outdated: null }
}
