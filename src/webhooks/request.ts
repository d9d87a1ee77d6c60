import type { Platform } from '../platform.ts'
import { isAudio, toDocument } from './document.ts'
import { bounded } from './exchange.ts'
import { type Asked, follow } from './follow.ts'
import { type Guard, guardFor } from './guard.ts'
import { sign } from './signature.ts'
import type { Webhook } from './webhook.ts'

/** One request for TwiML: `params` are the form fields (or the query of a GET); `fallback` is asked when nothing usable
 * comes. */
export type WebhookRequest = Webhook & {
  params: Record<string, string>
  authToken: string
  fallback?: Webhook | null
}

/** What a webhook answered: its document, or why there is none. `finalUrl` is where the last redirect led, the base of
 * the document's relative URLs. `earlier` is what was wrong at the URL before the fallback's. */
export type WebhookAnswer = { url: string; finalUrl: string; durationMs: number } & (
  | { kind: 'answered'; status: number; document: string; earlier: string | null }
  | { kind: 'failed'; status: number | null; problem: string; excerpt: string | null }
)

/** Asks a webhook for TwiML, and its fallback when that gives none (contract section 8): 5 s to connect, 15 s in all
 * for each of the two, 64 KB at most. Never throws for what the other side does. */
export async function askWebhook(
  platform: Pick<Platform, 'env'>,
  asked: WebhookRequest,
): Promise<WebhookAnswer> {
  return askWithGuard(guardFor(platform.env), asked)
}

/** The same with another guard. */
export async function askWithGuard(guard: Guard, asked: WebhookRequest): Promise<WebhookAnswer> {
  const first = await askOnce(guard, asked)
  if (first.kind === 'answered' || !asked.fallback) return first
  const errors = { ErrorCode: '11200', ErrorUrl: first.url }
  const second = await askOnce(guard, { ...asked, ...asked.fallback, params: { ...asked.params, ...errors } })
  if (second.kind === 'answered') return { ...second, earlier: first.problem }
  return { ...second, problem: `${first.problem} ${second.problem}` }
}

const totalMilliseconds = 15_000
const mostBytes = 64 * 1024
const excerptCharacters = 500

async function askOnce(guard: Guard, asked: WebhookRequest): Promise<WebhookAnswer> {
  const started = performance.now()
  const { finalUrl, answer } = await bounded(totalMilliseconds, (signal) =>
    follow(guard, toAsked(asked), { signal, mostBytes, skipBody: isAudio }),
  )
  const told = { url: asked.url, finalUrl, durationMs: Math.round(performance.now() - started) }
  const failed = (problem: string, status: number | null, excerpt: string | null): WebhookAnswer => ({
    ...told,
    kind: 'failed',
    status,
    problem: `The webhook ${problem}.`,
    excerpt,
  })
  if (!answer.ok) return failed(answer.problem, null, null)
  const excerpt = answer.body.toString('utf8', 0, excerptCharacters)
  if (answer.status < 200 || answer.status > 299)
    return failed(`answered ${answer.status}`, answer.status, excerpt)
  const contentType = answer.headers['content-type'] ?? null
  const read = toDocument({ contentType, body: answer.body, finalUrl })
  if ('problem' in read) return failed(read.problem, answer.status, excerpt)
  return { ...told, kind: 'answered', status: answer.status, document: read.document, earlier: null }
}

/** What Twilio's own requests carry (somleng.md 5.4), with the signature of each hop's own URL. */
function toAsked({ url, method, params, authToken }: WebhookRequest): Asked {
  return {
    url,
    method,
    params,
    headers: (hop, posted) => ({
      'User-Agent': 'TwilioProxy/1.1',
      Accept: 'text/xml, application/xml, text/html',
      'X-Twilio-Signature': sign(authToken, hop, posted),
    }),
  }
}
