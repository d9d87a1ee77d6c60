/** How a webhook is asked. */
export type Method = 'GET' | 'POST'

/** One address of a customer and how it is asked. */
export type Webhook = { url: string; method: Method }

/** A call's progress that a customer can be told of (Twilio's StatusCallbackEvent). */
export type CallEvent = (typeof callEvents)[number]
/** All of them, in the order in which they happen. */
export const callEvents = ['initiated', 'ringing', 'answered', 'completed'] as const

/** Where to report, and which events. */
export type StatusCallback = Webhook & { events: readonly CallEvent[] }

/** A text as an absolute http or https URL, a relative one against `base`; or why it is none, as the rest of a sentence. */
export function toWebhookUrl(text: string, base: string | null): { url: string } | { problem: string } {
  const trimmed = text.trim()
  if (trimmed.length > 4000) return { problem: 'is longer than 4000 characters' }
  const url = parse(trimmed, base)
  if (url === null) return { problem: 'is no URL' }
  if (url === 'no base') return { problem: 'must be absolute: the document itself came without a URL' }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return { problem: 'must be an http or https URL' }
  if (url.hostname === '') return { problem: 'has no host' }
  url.hash = ''
  return { url: url.href }
}

function parse(text: string, base: string | null): URL | 'no base' | null {
  if (URL.canParse(text)) return new URL(text)
  if (base === null) return 'no base'
  return URL.canParse(text, base) ? new URL(text, base) : null
}
