import type { Jar } from './cookies.ts'
import {
  type Exchange,
  type Exchanged,
  exchange,
  type Limits,
  type Refusal,
  refusal,
  webhookErrors,
} from './exchange.ts'
import type { Guard } from './guard.ts'
import type { Method } from './webhook.ts'

/** What a customer's URL is asked with; `headers` are made anew for each hop, which sends and sets cookies of the `jar`. */
export type Asked = {
  url: string
  method: Method
  params: Record<string, string>
  headers: (url: URL, posted: Record<string, string>) => Record<string, string>
  jar: Jar
}

/** What answered at the end of all redirects, and where: the URL as it was named, without parameters of ours. */
export type Followed = { finalUrl: string; answer: Exchanged }

/** Asks a URL and follows its redirects. Each hop is checked like the first; a connection that failed is tried once
 * more. */
export async function follow(guard: Guard, asked: Asked, limits: Limits): Promise<Followed> {
  let hop = firstHop(asked)
  for (let redirects = 0; ; redirects++) {
    const answer = await exchangeTwice(guard, toExchange(hop, asked), limits)
    if (answer.ok) asked.jar.keep(hop.url, answer.headers['set-cookie'])
    const next = answer.ok ? nextHop(hop, answer, asked.params) : null
    if (next === null) return { finalUrl: hop.named.href, answer }
    if ('problem' in next) return { finalUrl: hop.named.href, answer: next }
    if (redirects === mostRedirects) return { finalUrl: hop.named.href, answer: tooManyRedirects }
    hop = next
  }
}

const mostRedirects = 5
const tooManyRedirects = refusal(`redirected more than ${mostRedirects} times`, webhookErrors.redirects)

type Hop = { named: URL; url: URL; method: Method; posted: Record<string, string> }

function firstHop({ url, method, params }: Asked): Hop {
  const named = new URL(url)
  return method === 'GET' ? askByGet(named, params) : { named, url: named, method, posted: params }
}

// The parameters stand after those that the URL has, in order.
function askByGet(named: URL, params: Record<string, string>): Hop {
  const url = new URL(named)
  const added = new URLSearchParams(params).toString()
  if (added !== '') url.search = url.search === '' ? added : `${url.search}&${added}`
  return { named, url, method: 'GET', posted: {} }
}

function toExchange({ url, method, posted }: Hop, { headers, jar }: Asked): Exchange {
  const body = method === 'POST' ? new URLSearchParams(posted).toString() : null
  const form = body === null ? {} : { 'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8' }
  return { url, method, headers: { ...headers(url, posted), ...jar.headersFor(url), ...form }, body }
}

async function exchangeTwice(guard: Guard, wanted: Exchange, limits: Limits): Promise<Exchanged> {
  const first = await exchange(guard, wanted, limits)
  if (first.ok || !first.connection || limits.signal.aborted) return first
  return exchange(guard, wanted, limits)
}

// As browsers do it: 307 and 308 post the same again, the others ask by GET. The parameters go along in the query, as far as
// the site has not put them there, so that one that moved its webhook still learns which call it is about.
function nextHop(
  hop: Hop,
  answer: Extract<Exchanged, { ok: true }>,
  params: Asked['params'],
): Hop | Refusal | null {
  const location = answer.headers.location
  if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return null
  if (!URL.canParse(location, hop.url.href)) return refusal('redirected to what is no URL', webhookErrors.url)
  const url = new URL(location, hop.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return refusal(`redirected to ${url.protocol}`, webhookErrors.url)
  if (answer.status >= 307 && hop.method === 'POST') return { ...hop, named: url, url }
  const missing = Object.entries(params).filter(([name]) => !url.searchParams.has(name))
  return askByGet(url, Object.fromEntries(missing))
}
