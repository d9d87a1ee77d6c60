import type { MiddlewareHandler } from 'hono'
import { answerErrors } from './error.ts'

/** The media type of every request and answer (JSON:API 1.1, "Content Negotiation"). */
export const mediaType = 'application/vnd.api+json'

/** Refuses what JSON:API 1.1 says must be refused: 415 for its media type with parameters other than `profile`, 406
 * when all its instances in Accept have such. `application/json` and clients that send neither header are served. */
export const negotiate: MiddlewareHandler = async (c, next) => {
  const contentType = c.req.header('content-type')
  if (contentType !== undefined && isJsonApi(contentType) && areModifying(parametersOf(contentType)))
    return answerErrors([
      {
        status: 415,
        code: 'unsupported_media_type',
        title: 'unsupported media type',
        detail: `Send ${mediaType} without parameters; extensions are not supported.`,
        source: { header: 'Content-Type' },
      },
    ])
  const offered = split(c.req.header('accept') ?? '', ',').filter(isJsonApi)
  if (offered.length > 0 && offered.every((range) => areModifying(typeParametersOf(range))))
    return answerErrors([
      {
        status: 406,
        code: 'not_acceptable',
        title: 'not acceptable',
        detail: `Accept ${mediaType} at least once without parameters.`,
        source: { header: 'Accept' },
      },
    ])
  await next()
}

/** Whether a request with this Content-Type may carry a document. Without one, JSON is assumed. */
export const carriesJson = (contentType: string | undefined): boolean =>
  contentType === undefined || isJsonApi(contentType) || nameOf(contentType) === 'application/json'

const isJsonApi = (text: string) => nameOf(text) === mediaType
const nameOf = (text: string) => (split(text, ';')[0] ?? '').trim().toLowerCase()

// `profile` may be ignored; any `ext` names an extension that is not supported.
const areModifying = (names: readonly string[]) => names.some((name) => name !== 'profile' && name !== '')

const parametersOf = (text: string): string[] =>
  split(text, ';')
    .slice(1)
    .map((parameter) => (parameter.split('=')[0] ?? '').trim().toLowerCase())

// In Accept, and nowhere else, `q` ends the parameters of the type (RFC 9110, 12.5.1).
function typeParametersOf(range: string): string[] {
  const names = parametersOf(range)
  const weight = names.indexOf('q')
  return weight === -1 ? names : names.slice(0, weight)
}

// At separators outside quotes: `profile="a,b;c"` is one parameter. Each character is looked at once: a header may be
// long, and made to be slow.
function split(text: string, separator: ',' | ';'): string[] {
  const parts: string[] = []
  let from = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (quoted && character === '\\') at += 1
    else if (character === '"') quoted = !quoted
    else if (!quoted && character === separator) {
      parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  return [...parts, text.slice(from)].filter((part) => part !== '')
}
