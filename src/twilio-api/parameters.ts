import { type Problem, problem } from './error.ts'

/** The parameters of a request while they are read: every value of each name, and the first thing that was wrong. */
export type Reading = { fields: ReadonlyMap<string, readonly string[]>; problem: Problem | null }

/** The parameters of a form or a query string; one that PostgreSQL could not store is a problem. */
export function readParameters(text: string): Reading {
  const fields = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(text))
    fields.set(name, [...(fields.get(name) ?? []), value])
  const reading: Reading = { fields, problem: null }
  for (const [name, values] of fields)
    if (values.some((value) => value.includes('\0')))
      refuse(reading, 20001, `${name} must not contain NUL characters`)
  return reading
}

/** Notes what is wrong; what was wrong before stays, since Twilio tells one thing at a time. */
export function refuse(reading: Reading, code: number, message: string): void {
  reading.problem ??= problem(code, message)
}

/** A parameter as text, blanks at its ends cut off; null when it is absent or empty. */
export function text({ fields }: Reading, name: string): string | null {
  const value = fields.get(name)?.at(-1)?.trim() ?? ''
  return value === '' ? null : value
}

/** A whole number within bounds, or null when it is absent; `code` is Twilio's for a wrong one. */
export function integer(
  reading: Reading,
  name: string,
  bounds: { code: number; least: number; most: number },
): number | null {
  const value = text(reading, name)
  if (value === null) return null
  const number = /^\d{1,9}$/.test(value) ? Number(value) : -1
  if (number >= bounds.least && number <= bounds.most) return number
  refuse(
    reading,
    bounds.code,
    `${name} must be a whole number from ${bounds.least} to ${bounds.most}, not ${quote(value)}`,
  )
  return null
}

/** One of the values, in any case, or null when it is absent. */
export function choice<Value extends string>(
  reading: Reading,
  name: string,
  code: number,
  values: readonly Value[],
): Value | null {
  const value = text(reading, name)
  if (value === null) return null
  const found = values.find((known) => known.toLowerCase() === value.toLowerCase())
  if (found === undefined)
    refuse(reading, code, `${name} must be one of ${values.join(', ')}, not ${quote(value)}`)
  return found ?? null
}

/** What somebody sent, in a message: short, in quotes, on one line. */
export const quote = (value: string): string =>
  `"${(value.length > 80 ? `${value.slice(0, 80)}…` : value).replace(/\p{Cc}/gu, '?')}"`
