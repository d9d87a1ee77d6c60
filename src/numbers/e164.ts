import {
  type CountryCode,
  getCountryCallingCode,
  isSupportedCountry,
  Metadata,
  type PhoneNumber,
  parsePhoneNumberFromString,
} from 'libphonenumber-js'

declare const brand: unique symbol

/** A plausible E.164 number with its plus: `+14155551234`. */
export type E164 = string & { readonly [brand]: 'E164' }

/** What a number may be: E.164, or a text that is none and passes untouched (`6703`, `anonymous`, a short code). */
export type Meaning = { kind: 'e164'; number: E164 } | { kind: 'other'; text: string }

// Below this many digits a number without plus is an extension or a short code: no country's full numbers are shorter,
// but the length rules of some (Germany) would call even `6703` possible.
const fewestDigits = 7

// Numbers that a country has given up but that switches still send: Mexico's 01, 044 and 045 before ten digits, and the
// 1 after +52 (abolished in 2019 and 2020, so no longer in the metadata).
const formerPrefixes: Partial<Record<string, RegExp>> = { MX: /^(?:01|04[45]|1)(?=\d{10}$)/ }
const formerMobileMexico = /^\+521(?=\d{10}$)/

/** What a number means when it is dialled in a country (ISO 3166-1 alpha-2; null: unknown): national, international
 * (`+`, `00`, `011` …) and bare forms of one number have one meaning. Applying it to its own result changes nothing. */
export function meaningOf(dialled: string, country: string | null): Meaning {
  const compact = dialled.replace(/[\s().-]/g, '')
  if (!/^\+?\d+$/.test(compact) || compact.length > 20) return { kind: 'other', text: dialled }
  const number = compact.startsWith('+') ? international(compact) : bare(compact, country)
  return number === null ? { kind: 'other', text: dialled } : { kind: 'e164', number }
}

/** The meaning as text: `+14155551234`, or the text untouched. */
export function normalise(dialled: string, country: string | null): string {
  const meaning = meaningOf(dialled, country)
  return meaning.kind === 'e164' ? meaning.number : meaning.text
}

/** How a number is kept in the inventory: without plus. */
export const stored = (number: string): string => number.replace(/^\+/, '')

/** How a kept number is shown: with plus unless it is a short code. */
export const shown = (digits: string): string =>
  digits.length >= fewestDigits && international(`+${digits}`) !== null ? `+${digits}` : digits

/** Whether somebody could take a text for a telephone number: it means one, or has as many digits as one, whatever stands
 * around them, or is an emergency service's. Extensions, short codes and names cannot be taken for one. */
export function passesForNumber(text: string): boolean {
  const digits = text.replace(/\D/g, '')
  if (digits.length >= fewestDigits || meaningOf(text, null).kind === 'e164') return true
  return emergency.has(digits) && !/[A-Za-z]/.test(text)
}

// Those that whole continents or large countries call; a PBX has extensions of three digits, too.
const emergency = new Set(['000', '110', '112', '119', '911', '999'])

/** The number as dialled inside its own country, trunk prefix included where there is one: `0716100987`. */
export function nationalFormat(number: E164): string {
  const parsed = parsePhoneNumberFromString(number)
  return parsed ? parsed.format('NATIONAL').replace(/\D/g, '') : stored(number)
}

/** A number as people read it: `(415) 555-1234` in North America, `+44 20 7946 0000` elsewhere; what is none as it is. */
export function formatted(text: string): string {
  const parsed = text.startsWith('+') ? parsePhoneNumberFromString(text) : undefined
  if (parsed === undefined) return text
  return parsed.countryCallingCode === '1' ? parsed.formatNational() : parsed.formatInternational()
}

/** The kept numbers that people read as a text: those that `formatted` makes it of. */
export function keptAs(text: string): string[] {
  const digits = text.replace(/\D/g, '')
  // North American numbers are written without their country's code.
  return [digits, `1${digits}`].filter((number) => number !== '' && formatted(shown(number)) === text)
}

/** Every prefix of a number from the longest to the empty one: what a stored prefix must equal to match it. */
export function prefixesOf(number: string): string[] {
  const digits = stored(number)
  return Array.from({ length: digits.length + 1 }, (_, index) => digits.slice(0, digits.length - index))
}

// Read until nothing changes: libphonenumber drops one trunk prefix at a time (+310000000 becomes +31000000).
function international(text: string): E164 | null {
  const current = text.replace(formerMobileMexico, '+52')
  const parsed = parsePhoneNumberFromString(current)
  if (!parsed?.isPossible()) return null
  return parsed.number === current ? (current as string as E164) : international(parsed.number)
}

function bare(digits: string, country: string | null): E164 | null {
  if (digits.length < fewestDigits) return null
  if (country === null || !isSupportedCountry(country)) return anywhere(digits)
  return inCountry(digits, country) ?? anywhere(digits)
}

// libphonenumber reads a bare number as national first and as beginning with the country's own code only where that
// cannot be. Where numbers are dialled with a trunk prefix (0 in Germany) a number without it that begins with the
// country's code is E.164 without its plus, so there the second reading goes first.
function inCountry(digits: string, country: CountryCode): E164 | null {
  const current = digits.replace(formerPrefixes[country] ?? /^$/, '')
  const national = parsePhoneNumberFromString(current, country)
  const hasPrefix = national !== undefined && national.nationalNumber !== current
  if (hasPrefix && national.isValid()) return toE164(national)
  if (usesTrunkPrefix(country) && current.startsWith(getCountryCallingCode(country))) {
    const own = parsePhoneNumberFromString(`+${current}`)
    if (own?.isValid()) return toE164(own)
  }
  return national?.isValid() ? toE164(national) : null
}

function anywhere(digits: string): E164 | null {
  const text = `+${digits.replace(/^00/, '')}`.replace(formerMobileMexico, '+52')
  const parsed = parsePhoneNumberFromString(text)
  return parsed?.isValid() ? toE164(parsed) : null
}

// Through `international`, so that what was given up is written as it is dialled today here too.
const toE164 = (parsed: PhoneNumber): E164 | null => international(parsed.number)

const metadata = new Metadata()

function usesTrunkPrefix(country: CountryCode): boolean {
  metadata.selectNumberingPlan(country)
  const plan = metadata.numberingPlan as unknown as { nationalPrefix(): string | undefined } | undefined
  return plan?.nationalPrefix() !== undefined
}
