import { gte, lt, type SQL } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import { quote, type Reading, refuse, text } from './parameters.ts'

/** The conditions that a time's `=`, `<=` and `>=` make (`StartTime`, `StartTime<`, `StartTime>`). */
export function timeFilters(reading: Reading, name: string, column: PgColumn): SQL[] {
  const [on, until, from] = [name, `${name}<`, `${name}>`].map((full) => readSpan(reading, full))
  return [
    ...(on ? [gte(column, on.begin), lt(column, on.end)] : []),
    ...(until ? [lt(column, until.end)] : []),
    ...(from ? [gte(column, from.begin)] : []),
  ]
}

type Span = { begin: Date; end: Date }

// A date means the whole day, a time its second: "until" a day includes it.
function readSpan(reading: Reading, name: string): Span | null {
  const value = text(reading, name)
  if (value === null) return null
  const isDate = /^\d{4}-\d\d-\d\d$/.test(value)
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?$/.test(value)
  const begin = new Date(isTime && !/(Z|[+-]\d\d:?\d\d)$/.test(value) ? `${value}Z` : value)
  if ((!isDate && !isTime) || !isOfOurTimes(begin)) {
    refuse(reading, 20001, `${name} must be a date (YYYY-MM-DD) or a time in ISO 8601, not ${quote(value)}`)
    return null
  }
  return { begin, end: new Date(begin.getTime() + (isDate ? 86_400_000 : 1000)) }
}

// Beyond these years a date is a slip, and PostgreSQL writes some of them otherwise.
const isOfOurTimes = (time: Date) => time.getUTCFullYear() >= 1970 && time.getUTCFullYear() < 3000
