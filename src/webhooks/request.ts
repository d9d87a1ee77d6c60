import type { Platform } from '../platform.ts'
import { type Cookies, type Jar, openJar } from './cookies.ts'
import { isAudio, toDocument } from './document.ts'
import { bounded, webhookErrors } from './exchange.ts'
import { type Asked, type Followed, follow } from './follow.ts'
import { type Guard, guardFor } from './guard.ts'
import { sign } from './signature.ts'
import type { Webhook } from './webhook.ts'

/** One request for TwiML: `params` are the form fields (or the query of a GET); `fallback` is asked when nothing usable
 * comes; `cookies` are those that the call has kept; `read` says what of a document is usable, or as a sentence why nothing
 * is. */
export type WebhookRequest<Usable> = Webhook & {
  params: Record<string, string>
  authToken: string
  fallback?: Webhook | null
  cookies?: Cookies | null
  read: (document: string, finalUrl: string) => { usable: Usable } | { problem: string }
}

/** What was wrong at one URL: Twilio's number for it, and how the answer began if there was one. */
export type WebhookFailure = {
  url: string
  status: number | null
  code: number
  problem: string
  excerpt: string | null
  durationMs: number
}

/** What a webhook answered, or that nothing usable came; with what was wrong at each URL that was asked. `finalUrl` is
 * where the last redirect led, the base of the document's relative URLs; `cookies` are what the call is to keep from now
 * on, null for no change. */
export type WebhookAnswer<Usable> = Answer<Usable> & { cookies: Cookies | null }

type Answer<Usable> = { durationMs: number } & (
  | {
      kind: 'answered'
      status: number
      finalUrl: string
      document: string
      usable: Usable
      failures: readonly WebhookFailure[]
    }
  | { kind: 'failed'; failures: readonly [WebhookFailure, ...WebhookFailure[]] }
)

/** Asks a webhook for TwiML, and its fallback when that gives none (contract section 8): 5 s to connect, 15 s in all
 * for each of the two, 64 KB at most. Never throws for what the other side does. */
export async function askWebhook<Usable>(
  platform: Pick<Platform, 'env'>,
  asked: WebhookRequest<Usable>,
): Promise<WebhookAnswer<Usable>> {
  return askWithGuard(guardFor(platform.env), asked)
}

/** The same with another guard. */
export async function askWithGuard<Usable>(
  guard: Guard,
  asked: WebhookRequest<Usable>,
): Promise<WebhookAnswer<Usable>> {
  const jar = openJar(asked.cookies ?? null)
  const answer = await askBoth(guard, asked, jar)
  return { ...answer, cookies: jar.changed() }
}

async function askBoth<Usable>(
  guard: Guard,
  asked: WebhookRequest<Usable>,
  jar: Jar,
): Promise<Answer<Usable>> {
  const first = await askOnce(guard, asked, jar)
  if (first.kind === 'answered' || !asked.fallback) return first
  const [failure] = first.failures
  const errors = { ErrorCode: String(failure.code), ErrorUrl: failure.url }
  const fallback = { ...asked, ...asked.fallback, params: { ...asked.params, ...errors } }
  const second = await askOnce(guard, fallback, jar)
  const durationMs = first.durationMs + second.durationMs
  return { ...second, durationMs, failures: [failure, ...second.failures] }
}

const totalMilliseconds = 15_000
const mostBytes = 64 * 1024
const excerptCharacters = 500

async function askOnce<Usable>(
  guard: Guard,
  asked: WebhookRequest<Usable>,
  jar: Jar,
): Promise<Answer<Usable>> {
  const started = performance.now()
  const followed = await bounded(totalMilliseconds, (signal) =>
    follow(guard, toAsked(asked, jar), { signal, mostBytes, skipBody: isAudio }),
  )
  const durationMs = Math.round(performance.now() - started)
  const read = readAnswer(asked, followed)
  if ('usable' in read) return { kind: 'answered', durationMs, failures: [], ...read }
  return { kind: 'failed', durationMs, failures: [{ url: asked.url, durationMs, ...read }] }
}

type Read<Usable> =
  | { status: number; finalUrl: string; document: string; usable: Usable }
  | Omit<WebhookFailure, 'url' | 'durationMs'>

function readAnswer<Usable>({ read }: WebhookRequest<Usable>, { finalUrl, answer }: Followed): Read<Usable> {
  if (!answer.ok)
    return { problem: `The webhook ${answer.problem}.`, code: answer.code, status: null, excerpt: null }
  const { status, headers, body } = answer
  const failed = (problem: string, code: number) => ({
    ...{ problem, code, status },
    excerpt: storable(body.toString('utf8').slice(0, excerptCharacters)),
  })
  if (status < 200 || status > 299) return failed(`The webhook answered ${status}.`, webhookErrors.retrieval)
  const contentType = headers['content-type'] ?? null
  const contentEncoding = headers['content-encoding'] ?? null
  const written = toDocument({ contentType, contentEncoding, body, finalUrl })
  if ('problem' in written) return failed(`The webhook ${written.problem}.`, written.code)
  const usable = read(written.document, finalUrl)
  if ('problem' in usable) return failed(usable.problem, webhookErrors.document)
  return { status, finalUrl, document: storable(written.document), ...usable }
}

// PostgreSQL holds no NUL and no half of a surrogate pair.
const storable = (text: string) => text.replace(/[\0\p{Surrogate}]/gu, '\ufffd')

/** What Twilio's own requests carry (somleng.md 5.4), with the signature of each hop's own URL. */
function toAsked({ url, method, params, authToken }: WebhookRequest<unknown>, jar: Jar): Asked {
  return {
    url,
    method,
    params,
    jar,
    headers: (hop, posted) => ({
      'User-Agent': 'TwilioProxy/1.1',
      Accept: 'text/xml, application/xml, text/html',
      'X-Twilio-Signature': sign(authToken, hop, posted),
    }),
  }
}
