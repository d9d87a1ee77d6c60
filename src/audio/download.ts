import { openJar } from '../webhooks/cookies.ts'
import { bounded } from '../webhooks/exchange.ts'
import { follow } from '../webhooks/follow.ts'
import type { Guard } from '../webhooks/guard.ts'

const mostMilliseconds = 15_000
const mostBytes = 20 * 1024 * 1024

/** A customer's file, and for how many seconds it may be used without asking again; or why there is none, as the rest
 * of a sentence. */
export async function download(
  guard: Guard,
  url: string,
): Promise<{ bytes: Buffer; freshSeconds: number } | { problem: string }> {
  const headers = () => ({ 'User-Agent': 'TwilioProxy/1.1', Accept: 'audio/wav, audio/mpeg, */*;q=0.5' })
  const { answer } = await bounded(mostMilliseconds, (signal) =>
    follow(guard, { url, method: 'GET', params: {}, headers, jar: openJar(null) }, { signal, mostBytes }),
  )
  if (!answer.ok) return { problem: answer.problem }
  if (answer.status < 200 || answer.status > 299) return { problem: `answered ${answer.status}` }
  return { bytes: answer.body, freshSeconds: freshSeconds(answer.headers['cache-control']) }
}

// Within one call a file is asked for again and again, so even one that must not be cached is good for a moment.
const fewestSeconds = 10
const usualSeconds = 300
const mostSeconds = 86_400

/** How long a Cache-Control header lets a file be used, bounded. */
export function freshSeconds(cacheControl: string | undefined): number {
  if (cacheControl === undefined) return usualSeconds
  if (/\bno-(?:cache|store)\b/i.test(cacheControl)) return fewestSeconds
  const [, seconds] = /\bmax-age\s*=\s*"?(\d{1,9})/i.exec(cacheControl) ?? []
  if (seconds === undefined) return usualSeconds
  return Math.min(mostSeconds, Math.max(fewestSeconds, Number(seconds)))
}
