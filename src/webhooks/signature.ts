import { createHmac } from 'node:crypto'
import { withoutUser } from './exchange.ts'

/** X-Twilio-Signature: HMAC-SHA1, by the account's auth token, of the whole URL and what is posted to it, in the order
 * of the names (https://www.twilio.com/docs/usage/security). */
export function sign(authToken: string, url: URL, posted: Record<string, string>): string {
  const fields = Object.keys(posted)
    .sort()
    .map((name) => `${name}${posted[name]}`)
  return createHmac('sha1', authToken)
    .update(`${withoutUser(url).href}${fields.join('')}`)
    .digest('base64')
}
