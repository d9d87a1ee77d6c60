import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Socket } from 'node:net'
import { type Guard, guardedLookup, isRefusedHost, RefusedAddress } from './guard.ts'

/** One HTTP request of ours. User name and password of the URL become Basic credentials. */
export type Exchange = {
  url: URL
  method: 'GET' | 'POST'
  headers: Record<string, string>
  body: string | null
}

/** How long an exchange may take, how much of an answer is read, and of which media types nothing is. */
export type Limits = { signal: AbortSignal; mostBytes: number; skipBody?: (contentType: string) => boolean }

/** What came back; or why nothing did, and whether the connection was at fault, so that another try may help. */
export type Exchanged =
  | { ok: true; status: number; headers: IncomingMessage['headers']; body: Buffer }
  | Refusal

/** Why nothing usable came back, as the rest of a sentence, with Twilio's number for it. */
export type Refusal = { ok: false; problem: string; code: number; connection: boolean }

/** Twilio's numbers for what may be wrong with a webhook (https://www.twilio.com/docs/api/errors). */
export const webhookErrors = {
  url: 11100,
  retrieval: 11200,
  connection: 11205,
  protocol: 11206,
  host: 11210,
  redirects: 11215,
  tls: 11220,
  size: 11750,
  document: 12100,
  contentType: 12300,
} as const

/** A refusal that another try would not change. */
export const refusal = (problem: string, code: number): Refusal => ({
  ok: false,
  problem,
  code,
  connection: false,
})

/** Gives a signal that aborts after so many milliseconds, or with the controller in `abortable`, until it is done. */
export async function bounded<Result>(
  milliseconds: number,
  make: (signal: AbortSignal) => Promise<Result>,
  abortable: Set<AbortController> = new Set(),
): Promise<Result> {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), milliseconds)
  abortable.add(controller)
  return make(controller.signal).finally(() => {
    clearTimeout(timer)
    abortable.delete(controller)
  })
}

/** Makes one request, to an address that the guard lets pass and no other. Redirects are the caller's. */
export async function exchange(guard: Guard, wanted: Exchange, limits: Limits): Promise<Exchanged> {
  if (isRefusedHost(guard, wanted.url)) return refused(wanted.url)
  try {
    const answer = await send(guard, wanted, limits.signal)
    const body = await read(answer, limits)
    // An answer without a length seems whole when we break it off ourselves.
    if (limits.signal.aborted) return failure(null, wanted.url, limits.signal)
    if (body === null) return refusal(`answered more than ${limits.mostBytes} bytes`, webhookErrors.size)
    return { ok: true, status: answer.statusCode ?? 0, headers: answer.headers, body }
  } catch (error) {
    return failure(error, wanted.url, limits.signal)
  }
}

/** To connect at all may take so long (contract section 8). */
const connectMilliseconds = 5000

function send(
  guard: Guard,
  { url, method, headers, body }: Exchange,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const secure = url.protocol === 'https:'
  return new Promise((resolve, reject) => {
    const options = {
      agent: secure ? guard.agents.https : guard.agents.http,
      method,
      headers: { ...headers, ...basicCredentials(url), ...lengthOf(body) },
      lookup: guardedLookup(guard),
      signal,
    }
    const request = secure ? requestHttps(withoutUser(url), options) : requestHttp(withoutUser(url), options)
    request.once('socket', (socket) => boundConnecting(request, socket, secure))
    request.once('response', resolve)
    request.once('error', reject)
    request.end(body ?? undefined)
  })
}

class ConnectTimeout extends Error {}

function boundConnecting(request: ClientRequest, socket: Socket, secure: boolean) {
  if (!socket.connecting) return
  const timer = setTimeout(() => request.destroy(new ConnectTimeout()), connectMilliseconds)
  const done = () => clearTimeout(timer)
  socket.once(secure ? 'secureConnect' : 'connect', done)
  socket.once('close', done)
}

async function read(answer: IncomingMessage, { mostBytes, skipBody }: Limits): Promise<Buffer | null> {
  if (skipBody?.(answer.headers['content-type'] ?? '')) {
    answer.destroy()
    return Buffer.alloc(0)
  }
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > mostBytes) {
      answer.destroy()
      return null
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const lengthOf = (body: string | null): Record<string, string> =>
  body === null ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }

function basicCredentials({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const pair = `${decode(username)}:${decode(password)}`
  return { Authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The URL as it is asked and signed: without user name and password. */
export function withoutUser(url: URL): URL {
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  return bare
}

const refused = (url: URL): Refusal =>
  refusal(`was not asked: ${new RefusedAddress(url.hostname).message}`, webhookErrors.host)

function failure(error: unknown, url: URL, signal: AbortSignal): Exchanged {
  if (signal.aborted) return refusal('did not answer in time', webhookErrors.retrieval)
  if (error instanceof RefusedAddress) return refused(url)
  if (error instanceof ConnectTimeout) return connectionProblem('could not be connected to within 5 seconds')
  const { code = '', message } = error as NodeJS.ErrnoException
  const known = connectionProblems[code]
  if (known !== undefined) return connectionProblem(known)
  // The rest are answers that are no HTTP, and certificates that are not valid: the same again next time.
  return refusal(
    `could not be asked (${code === '' ? message.slice(0, 200) : code})`,
    code.startsWith('HPE_') ? webhookErrors.protocol : webhookErrors.tls,
  )
}

const connectionProblem = (problem: string): Refusal => ({
  ok: false,
  problem,
  code: problem.includes('does not resolve') ? webhookErrors.host : webhookErrors.connection,
  connection: true,
})

const connectionProblems: Readonly<Record<string, string>> = {
  ENOTFOUND: 'has a host name that does not resolve',
  EAI_AGAIN: 'has a host name that does not resolve just now',
  ECONNREFUSED: 'refused the connection',
  ECONNRESET: 'closed the connection',
  EPIPE: 'closed the connection',
  ETIMEDOUT: 'could not be connected to',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
}
