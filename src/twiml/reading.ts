import { type Method, toWebhookUrl, type Webhook } from '../webhooks/webhook.ts'
import type { Element, Problem } from './document.ts'

/** What is gathered while a document is read. The first problem refuses the document; a warning says that a value was
 * not usable and what stands in for it, as Twilio documents. */
export type Reading = { base: string | null; problems: Problem[]; warnings: Problem[] }

/** Notes a reason why the document cannot be run. */
export function refuse(reading: Reading, element: Element, message: string): void {
  reading.problems.push({ message, line: element.line, verb: element.name })
}

/** Notes a value that is not used as it stands. */
export function warn(reading: Reading, element: Element, message: string): void {
  reading.warnings.push({ message, line: element.line, verb: element.name })
}

/** Holds an element's attributes against what Twilio documents: `served` are read by the verb itself, `unserved` would
 * need what a SIP trunk has not (a value in the list asks for nothing and is let pass), others are noise. */
export function checkAttributes(
  reading: Reading,
  element: Element,
  served: readonly string[],
  unserved: Readonly<Record<string, readonly string[]>> = {},
): void {
  for (const [name, value] of element.attributes) {
    if (served.includes(name)) continue
    const harmless = unserved[name]
    if (harmless === undefined)
      warn(reading, element, `<${element.name}> has no attribute ${quote(name)}; it is ignored.`)
    else if (!harmless.includes(value))
      refuse(reading, element, `The attribute ${name} of <${element.name}> is not supported.`)
  }
}

/** Refuses elements inside one that may hold none. */
export function checkNoElements(reading: Reading, element: Element): void {
  for (const inner of element.content)
    if (typeof inner !== 'string')
      refuse(reading, inner, `<${inner.name}> is not allowed within <${element.name}>.`)
}

/** A whole number from `least` to `most`; below or no number is `otherwise`, above is `most`. */
export function integer(
  reading: Reading,
  element: Element,
  name: string,
  { least, most, otherwise }: { least: number; most: number; otherwise: number },
): number {
  const text = element.attributes.get(name)
  if (text === undefined || text === '') return otherwise
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1
  if (value >= least && value <= most) return value
  const used = value > most ? most : otherwise
  warn(reading, element, `${name} must be a whole number from ${least} to ${most}; ${used} is used.`)
  return used
}

/** `true` or `false`, anything else is `otherwise`. */
export function flag(reading: Reading, element: Element, name: string, otherwise: boolean): boolean {
  return choice(reading, element, name, ['true', 'false'], otherwise ? 'true' : 'false') === 'true'
}

/** One of the values, in any case; anything else is `otherwise`. */
export function choice<Value extends string>(
  reading: Reading,
  element: Element,
  name: string,
  values: readonly Value[],
  otherwise: Value,
): Value {
  const text = element.attributes.get(name)
  if (text === undefined || text === '') return otherwise
  const found = values.find((value) => value === text.toLowerCase())
  if (found === undefined)
    warn(reading, element, `${name} must be one of ${values.join(', ')}; ${otherwise} is used.`)
  return found ?? otherwise
}

/** The values named in a list with blanks or commas between, in any case; unknown ones are left out, none at all is
 * `otherwise`. */
export function choices<Value extends string>(
  reading: Reading,
  element: Element,
  name: string,
  values: readonly Value[],
  otherwise: readonly Value[],
): readonly Value[] {
  const words = (element.attributes.get(name) ?? '')
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((word) => word !== '')
  const known = values.filter((value) => words.includes(value))
  if (known.length < new Set(words).size)
    warn(reading, element, `${name} must be made of ${values.join(', ')}; the rest is ignored.`)
  return known.length === 0 ? otherwise : known
}

/** GET or POST; POST when absent. */
export function method(reading: Reading, element: Element, name = 'method'): Method {
  return choice(reading, element, name, ['get', 'post'], 'post') === 'get' ? 'GET' : 'POST'
}

/** The URL of an attribute and the method of another; null when the URL is absent. */
export function webhook(
  reading: Reading,
  element: Element,
  urlName: string,
  methodName: string,
): Webhook | null {
  const text = element.attributes.get(urlName)
  if (text === undefined || text === '') return null
  const read = url(reading, element, text, `${urlName} of <${element.name}>`)
  return read === null ? null : { url: read, method: method(reading, element, methodName) }
}

/** Where a verb goes on: its `action`, or the document's own URL when that is absent, as Twilio documents. Null for a document
 * that came without one: nobody is told then, and the next verb runs. */
export function actionOrDocument(reading: Reading, element: Element): Webhook | null {
  const named = webhook(reading, element, 'action', 'method')
  if (named !== null) return named
  if (reading.base !== null) return { url: reading.base, method: method(reading, element) }
  if (!element.attributes.get('action'))
    warn(
      reading,
      element,
      `<${element.name}> has no action, and its document came without a URL: nobody is told.`,
    )
  return null
}

/** A text as an absolute URL; null when it was refused. */
export function url(reading: Reading, element: Element, text: string, subject: string): string | null {
  const read = toWebhookUrl(text, reading.base)
  if ('url' in read) return read.url
  refuse(reading, element, `The ${subject} ${read.problem}.`)
  return null
}

/** A customer's word in a message: short, in quotes, one line. */
export function quote(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return `"${short.replace(/[\p{Cc}"]/gu, '?')}"`
}
