import type { Env } from '../env.ts'
import { guardFor, isRefusedHost } from '../webhooks/guard.ts'
import { toWebhookUrl, type Webhook } from '../webhooks/webhook.ts'
import { choice, quote, type Reading, refuse, text } from './parameters.ts'

/** Twilio's error codes for a wrong URL and a wrong method, which differ from resource to resource. */
export type WebhookCodes = { url: number; method: number }

/** GET or POST, or null when it is absent. */
export const method = (reading: Reading, name: string, code: number): Webhook['method'] | null =>
  choice(reading, name, code, ['GET', 'POST'])

/** A URL that may be asked, or null when it is absent. */
export function url(reading: Reading, env: Env, name: string, code: number): string | null {
  const value = text(reading, name)
  if (value === null) return null
  const read = URL.canParse(value) ? toWebhookUrl(value, null) : { problem: 'must be an absolute URL' }
  const why = 'problem' in read ? read.problem : refusal(env, read.url)
  if (why !== null) refuse(reading, code, `${name} ${why}: ${quote(value)}`)
  return 'url' in read ? read.url : null
}

const refusal = (env: Env, address: string) =>
  isRefusedHost(guardFor(env), new URL(address)) ? 'is not at a public address' : null

/** A URL and its method (POST when absent), or null when there is no URL. */
export function webhook(
  reading: Reading,
  env: Env,
  names: { url: string; method: string },
  codes: WebhookCodes,
): Webhook | null {
  const asked = method(reading, names.method, codes.method) ?? 'POST'
  const address = url(reading, env, names.url, codes.url)
  return address === null ? null : { url: address, method: asked }
}
