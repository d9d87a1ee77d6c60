import { webhookErrors } from './exchange.ts'

/** What a webhook answered, as far as it can be TwiML. */
export type Answer = {
  contentType: string | null
  contentEncoding: string | null
  body: Buffer
  finalUrl: string
}

/** The TwiML document that an answer is or stands for: text/plain is said, audio is played, as Twilio does. */
export function toDocument({
  contentType,
  contentEncoding,
  body,
  finalUrl,
}: Answer): { document: string } | { problem: string; code: number } {
  const [, type = ''] = /^\s*([^;\s]*)/.exec(contentType?.toLowerCase() ?? '') ?? []
  if (isAudio(type)) return { document: `<Response><Play>${escapeXml(finalUrl)}</Play></Response>` }
  // None was asked for, so nothing is ever inflated.
  if (contentEncoding !== null && !/^\s*(identity)?\s*$/i.test(contentEncoding))
    return wrong(`answered with Content-Encoding ${contentEncoding.slice(0, 60)}, which was not asked for`)
  const text = decode(body, contentType)
  if (text === null) return wrong('answered in a character set that is not known')
  if (type === 'text/plain') return { document: `<Response><Say>${escapeXml(text)}</Say></Response>` }
  if (type === '' || markup.includes(type)) return { document: text }
  return wrong(`answered ${type.slice(0, 60)}, which is no TwiML`)
}

const wrong = (problem: string) => ({ problem, code: webhookErrors.contentType })

/** Whether a media type is audio, whose body need not be read. */
export const isAudio = (type: string): boolean => /^\s*audio\//i.test(type)

const markup = ['text/xml', 'application/xml', 'text/html', 'application/xhtml+xml', 'application/twiml+xml']

// The character set of the header wins over the one that the document declares (RFC 7303).
function decode(body: Buffer, contentType: string | null): string | null {
  const [, named] = /charset\s*=\s*"?([^";\s]+)/i.exec(contentType ?? '') ?? []
  const [, declared] =
    /^\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']+)/i.exec(body.toString('latin1', 0, 200)) ?? []
  try {
    return new TextDecoder(named ?? declared ?? 'utf-8').decode(body)
  } catch {
    return null
  }
}

const escapeXml = (text: string): string =>
  text.replace(/[^\P{Cc}\t\n\r]/gu, ' ').replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`)
