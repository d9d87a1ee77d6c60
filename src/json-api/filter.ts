import { inArray, type SQL, sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import * as v from 'valibot'
import { isUuid } from '../sid.ts'

/** One `filter[name]`: what its value must be, and the condition that it makes (null: no row can meet it). */
export type Filter = {
  schema: v.GenericSchema<string, unknown>
  description: string
  where: (text: string) => { condition: SQL } | { problem: string }
}

/** A filter of a schema that checks and reads the value, and the condition made of it. */
export function filter<Value>(
  description: string,
  schema: v.GenericSchema<string, Value>,
  toCondition: (value: Value) => SQL,
): Filter {
  return {
    schema,
    description,
    where: (text) => {
      const read = v.safeParse(schema, text)
      return read.success ? { condition: toCondition(read.output) } : { problem: read.issues[0].message }
    },
  }
}

/** One or several of a list of values, separated by commas. */
export function oneOf(column: PgColumn, values: readonly string[]): Filter {
  const known = (text: string) => text.split(',').every((value) => values.includes(value))
  return filter(
    `One or several of ${values.join(', ')}, separated by commas.`,
    v.pipe(v.string(), v.check(known, `Expected one or several of ${values.join(', ')}.`)),
    (text) => inArray(column, [...new Set(text.split(','))]),
  )
}

const mostIds = 500

/** One or several ids, separated by commas; an id of nobody or of another tenant finds nothing. */
export const ids = (column: PgColumn): Filter =>
  filter(
    `One or several ids, separated by commas, ${mostIds} at the most.`,
    v.pipe(
      v.string(),
      v.check((text) => text.split(',').every((id) => isUuid(id)), 'Expected ids (UUIDs).'),
      v.check((text) => text.split(',').length <= mostIds, `Expected ${mostIds} ids at the most.`),
    ),
    (text) => inArray(column, [...new Set(text.split(','))]),
  )

/** A text that a column must hold exactly. */
export const equalTo = (column: PgColumn): Filter =>
  filter('Exactly this text.', v.string(), (text) => sql`${column} = ${text}`)

/** A text that a column must contain, in any case of letters. */
export const containing = (column: PgColumn): Filter =>
  filter(
    'A part of the text, in any case of letters.',
    v.string(),
    (text) => sql`strpos(lower(${column}), lower(${text})) > 0`,
  )

/** `true` or `false`. */
export const trueOrFalse = (column: PgColumn): Filter =>
  filter(
    '`true` or `false`.',
    v.pipe(v.string(), v.picklist(['true', 'false'], 'Expected true or false.')),
    (text) => sql`${column} = ${text === 'true'}`,
  )

const time = v.pipe(
  v.string(),
  v.regex(
    /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2}))?$/,
    'Expected a date (2026-03-01) or a time with its zone (2026-03-01T08:00:00Z).',
  ),
  v.check(existsOnCalendar, 'Expected a date that exists.'),
  v.transform((text) => new Date(text)),
  v.check(isOfFourDigits, 'Expected a date that exists.'),
)

// JavaScript takes February 30 for March 2.
function existsOnCalendar(text: string): boolean {
  const day = text.slice(0, 10)
  const date = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day)
}

// PostgreSQL writes a year 0, and years of more than four digits, otherwise than ISO 8601 does; a zone can lead there.
function isOfFourDigits(date: Date): boolean {
  const year = date.getUTCFullYear()
  return year >= 1 && year <= 9999
}

/** From a day's beginning (UTC) or a time on. */
export const from = (column: PgColumn): Filter =>
  filter('A date (its beginning, UTC) or a time: from then on.', time, (date) => {
    return sql`${column} >= ${date.toISOString()}::timestamptz`
  })

/** Up to a day's end (UTC) or a time. */
export const until = (column: PgColumn): Filter =>
  filter(
    'A date (its end, UTC) or a time: until then.',
    v.pipe(
      v.string(),
      v.transform((text) => (/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T23:59:59.999999Z` : text)),
      time,
    ),
    (date) => sql`${column} <= ${date.toISOString()}::timestamptz`,
  )
