import { eq } from 'drizzle-orm'
import * as v from 'valibot'
import { audioPrompts } from '../db/schema.ts'
import type { Platform } from '../platform.ts'
import { guardFor } from '../webhooks/guard.ts'
import { type Cached, cacheFor, keep, lookUp } from './cache.ts'
import { download } from './download.ts'
import { limited } from './limit.ts'
import { type PromptSource, PromptSourceSchema, promptName } from './prompt.ts'
import { speak } from './speech.ts'
import { toTelephoneWav } from './telephone.ts'

/** A prompt's audio as a telephone WAV file, for how many seconds it may be used, and why it is no newer one when it should
 * be; or why there is none. */
export type Rendered = { path: string; maxAgeSeconds: number; outdated: string | null } | { problem: string }

/** What was wrong with a prompt, and what is heard of it: nothing, or what was heard before. */
export type Unmade = { source: PromptSource; problem: string; heard: 'nothing' | 'as before' }

type Rendering = Pick<Platform, 'db' | 'env' | 'keys'>

/** The audio of a stored prompt by its name: from the cache, or made now. One that is being made is waited for. */
export async function renderPrompt(platform: Rendering, id: string): Promise<Rendered> {
  if (!/^[0-9a-f]{32}$/.test(id)) return { problem: 'There is no such prompt.' }
  return obtain(platform, id, () => storedSource(platform, id))
}

/** Makes prompts ready before FreeSWITCH asks for them. Gives those that cannot be made, and why. */
export async function prefetch(platform: Rendering, sources: readonly PromptSource[]): Promise<Unmade[]> {
  const made = sources.map(async (source): Promise<Unmade[]> => {
    const rendered = await obtain(platform, promptName(platform.keys, source), async () => source)
    if ('problem' in rendered) return [{ source, problem: rendered.problem, heard: 'nothing' }]
    return rendered.outdated === null ? [] : [{ source, problem: rendered.outdated, heard: 'as before' }]
  })
  return (await Promise.all(made)).flat()
}

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

async function storedSource({ db }: Rendering, id: string): Promise<PromptSource | null> {
  const [row] = await db
    .select({ source: audioPrompts.source })
    .from(audioPrompts)
    .where(eq(audioPrompts.id, id))
  return row === undefined ? null : v.parse(PromptSourceSchema, row.source)
}

type Find = () => Promise<PromptSource | null>

async function obtain(platform: Rendering, id: string, find: Find): Promise<Rendered> {
  const cache = cacheFor(platform.env)
  const cached = await lookUp(cache, id)
  if (cached !== null && cached.freshUntil.getTime() > Date.now()) return toRendered(cached)
  const key = `${cache.folder}/${id}`
  const failure = failures.get(key)
  if (failure !== undefined && failure.until > Date.now()) return instead(cached, failure.problem)
  const running = underWay.get(key)
  if (running !== undefined) return running
  const making = makeNew(platform, id, find, cached).finally(() => underWay.delete(key))
  underWay.set(key, making)
  return making
}

// One file is made once at a time.
const underWay = new Map<string, Promise<Rendered>>()

// What could not be made is not tried again at once: a loop would ask for it a thousand times.
const failures = new Map<string, { problem: string; until: number }>()
const failureMilliseconds = 10_000
const mostFailures = 1000

async function makeNew(platform: Rendering, id: string, find: Find, stale: Cached | null): Promise<Rendered> {
  const source = await find()
  if (source === null) return { problem: 'There is no such prompt.' }
  const made = await make(platform.env, source)
  if (!('problem' in made))
    return toRendered(await keep(cacheFor(platform.env), id, made.wav, made.freshUntil))
  if (failures.size >= mostFailures) failures.clear()
  failures.set(`${cacheFor(platform.env).folder}/${id}`, {
    problem: made.problem,
    until: Date.now() + failureMilliseconds,
  })
  return instead(stale, made.problem)
}

// What was heard before is better than nothing.
const instead = (stale: Cached | null, problem: string): Rendered =>
  stale === null ? { problem } : { ...toRendered(stale), outdated: problem }

type Made = { wav: Buffer; freshUntil: Date } | { problem: string }

const make = (env: Platform['env'], source: PromptSource): Promise<Made> =>
  source.kind === 'say' ? makeSpoken(env, source) : makePlayed(env, source.url)

async function makeSpoken(
  env: Platform['env'],
  { text, ...speaker }: PromptSource & { kind: 'say' },
): Promise<Made> {
  const spoken = await limited('speech', speaking, () => speak(env, text, speaker))
  if (spoken === null) return { problem: 'The speech program has too much to say at the moment.' }
  if ('problem' in spoken) return spoken
  const converted = await toTelephoneWav(spoken.wav)
  if ('problem' in converted) return { problem: `What the speech program wrote ${converted.problem}.` }
  return { ...converted, freshUntil: forEver }
}

// A host that stalls holds up its own files only.
async function makePlayed(env: Platform['env'], url: string): Promise<Made> {
  const loaded = await limited(`host ${new URL(url).host}`, ofHost, () =>
    limited('downloads', downloads, () => download(guardFor(env), url)),
  )
  if (loaded === null) return { problem: `${url} was not asked: its host keeps too many others waiting.` }
  if ('problem' in loaded) return { problem: `${url} ${loaded.problem}.` }
  const converted = await toTelephoneWav(loaded.bytes)
  if ('problem' in converted) return { problem: `${url} ${converted.problem}.` }
  return { ...converted, freshUntil: new Date(Date.now() + loaded.freshSeconds * 1000) }
}

// A call that waits for its prompt hears nothing and its hangup is not seen (freeswitch.md 5.1): better no prompt than
// one for which it would wait behind all others.
const speaking = { most: 4, patienceMs: 10_000 }
const downloads = { most: 16, patienceMs: 10_000 }
const ofHost = { most: 4, patienceMs: 10_000 }
const forEver = new Date('2100-01-01T00:00:00Z')

function toRendered({ path, freshUntil }: Cached) {
  const seconds = Math.round((freshUntil.getTime() - Date.now()) / 1000)
  return { path, maxAgeSeconds: Math.min(Math.max(seconds, 0), 86_400), outdated: null }
}
