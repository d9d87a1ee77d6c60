import type { Env } from '../env.ts'
import { guardFor } from '../webhooks/guard.ts'
import { download } from './download.ts'
import { limited, type Wish } from './limit.ts'
import type { PromptSource } from './prompt.ts'
import { speak } from './speech.ts'
import { toTelephoneWav } from './telephone.ts'

/** What is to be made, and the account whose share of the work it takes. */
export type Order = { source: PromptSource; accountId: string }

/** A telephone WAV file and until when it is fresh; or why there is none, as a sentence. `busy`: only because others came
 * first. */
export type Made = { wav: Buffer; freshUntil: Date } | { problem: string; busy: boolean }

/** Speaks or downloads a prompt and turns it into what calls are in, in its turn. */
export const make = (env: Env, { source, accountId }: Order, wish: Wish): Promise<Made> =>
  source.kind === 'say'
    ? makeSpoken(env, source, accountId, wish)
    : makePlayed(env, source.url, accountId, wish)

async function makeSpoken(
  env: Env,
  { text, ...speaker }: PromptSource & { kind: 'say' },
  accountId: string,
  wish: Wish,
): Promise<Made> {
  const made = await inShare('speech', accountId, wish, async (): Promise<Made | null> => {
    const spoken = await speak(env, text, speaker)
    if ('problem' in spoken) return { ...spoken, busy: false }
    return convert(spoken.wav, 'What the speech program wrote', forEver, accountId, wish)
  })
  return made ?? { problem: 'The speech program has too much to say at the moment.', busy: true }
}

// A host that stalls holds up its own files only, and those of one account.
async function makePlayed(env: Env, url: string, accountId: string, wish: Wish): Promise<Made> {
  const host = `host ${new URL(url).host} of ${accountId}`
  const made = await limited(host, ofHost, () => inShare('downloads', accountId, wish, load), wish)
  return made ?? { problem: `${url} was not asked: too many other files are waited for.`, busy: true }

  async function load(): Promise<Made | null> {
    const loaded = await download(guardFor(env), url)
    if ('problem' in loaded) return { problem: `${url} ${loaded.problem}.`, busy: false }
    const freshUntil = new Date(Date.now() + loaded.freshSeconds * 1000)
    return convert(loaded.bytes, url, freshUntil, accountId, wish)
  }
}

async function convert(
  bytes: Buffer,
  what: string,
  freshUntil: Date,
  accountId: string,
  wish: Wish,
): Promise<Made | null> {
  const converted = await inShare('conversions', accountId, wish, () => toTelephoneWav(bytes))
  if (converted === null) return null
  if ('problem' in converted) return { problem: `${what} ${converted.problem}.`, busy: false }
  return { ...converted, freshUntil }
}

// Before the gate of all stand no more of an account than its share, and they are let in as they came: one customer's
// long documents are not others' silence. What is not converted yet is held in memory, so the gates of speech and
// downloads are left only after it.
const inShare = <Result>(
  work: keyof typeof most,
  accountId: string,
  wish: Wish,
  doIt: () => Promise<Result>,
): Promise<Result | null> =>
  limited(
    `${work} of ${accountId}`,
    { most: most[work].ofAccount, patienceMs },
    () => limited(work, { most: most[work].ofAll, patienceMs }, doIt, wish),
    wish,
  )

const most = {
  speech: { ofAccount: 2, ofAll: 4 },
  downloads: { ofAccount: 4, ofAll: 16 },
  // Conversions share one thread, and each holds its sound two or three times.
  conversions: { ofAccount: 1, ofAll: 2 },
}
// A call that waits for its prompt hears nothing and its hangup is not seen (freeswitch.md 5.1): better no prompt than
// one for which it would wait behind all others.
const patienceMs = 10_000
const ofHost = { most: 2, patienceMs }
const forEver = new Date('2100-01-01T00:00:00Z')
