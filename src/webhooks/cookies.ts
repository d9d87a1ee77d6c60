import { CookieJar, type SerializedCookieJar } from 'tough-cookie'

/** The cookies of a call's webhooks, as they are stored with it: Twilio keeps them from request to request of a call. */
export type Cookies = SerializedCookieJar

/** The cookies of one request and its redirects: those that a URL is sent, those that its answer sets. */
export type Jar = {
  headersFor(url: URL): Record<string, string>
  keep(url: URL, set: readonly string[] | undefined): void
  /** All that is to be stored; null when no answer has set any. */
  changed(): Cookies | null
}

// A customer's server decides what it sets: what a call carries along is bounded.
const mostOfOneAnswer = 20
const longestCookie = 4096
const mostCookies = 30
const longestHeader = 8192

/** The jar of a call that has kept `stored` so far. Which host, path and scheme a cookie is for is as in browsers
 * (RFC 6265). */
export function openJar(stored: Cookies | null): Jar {
  const jar =
    stored === null ? new CookieJar(undefined, options) : CookieJar.deserializeSync({ ...stored, ...options })
  let changed = false
  return {
    headersFor: (url) => {
      const header = jar.getCookieStringSync(url.href)
      return header === '' || header.length > longestHeader ? {} : { Cookie: header }
    },
    keep: (url, set = []) => {
      for (const cookie of set.slice(0, mostOfOneAnswer)) {
        if (cookie.length > longestCookie) continue
        changed = jar.setCookieSync(cookie, url.href, { ignoreError: true }) !== undefined || changed
      }
    },
    changed: () => (changed ? newestOf(jar.serializeSync()) : null),
  }
}

// `localhost` and the like: development.
const options = { allowSpecialUseDomain: true, rejectPublicSuffixes: true }

function newestOf(stored: Cookies | undefined): Cookies | null {
  return stored === undefined ? null : { ...stored, cookies: stored.cookies.slice(-mostCookies) }
}
