import { and, eq, gte, lt, type SQL } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import { fromSid } from '../accounts/account.ts'
import { callStatuses, phoneCalls } from '../db/schema.ts'
import { normalise } from '../numbers/e164.ts'
import { choice, quote, type Reading, refuse, text } from './parameters.ts'

/** The condition that the filters of a list of calls make: To, From, Status, ParentCallSid, and StartTime and EndTime with
 * `=`, `<=` and `>=` (the names are then `StartTime<` and `StartTime>`). */
export function callFilters(reading: Reading): SQL | undefined {
  const [to, from] = [text(reading, 'To'), text(reading, 'From')]
  const status = choice(reading, 'Status', 20001, callStatuses)
  const parent = parentOf(reading)
  return and(
    to === null ? undefined : eq(phoneCalls.to, normalise(to, null)),
    from === null ? undefined : eq(phoneCalls.from, normalise(from, null)),
    status === null ? undefined : eq(phoneCalls.status, status),
    parent === null ? undefined : eq(phoneCalls.parentCallId, parent),
    ...timeFilters(reading, 'StartTime', phoneCalls.startedAt),
    ...timeFilters(reading, 'EndTime', phoneCalls.endedAt),
  )
}

function parentOf(reading: Reading): string | null {
  const sid = text(reading, 'ParentCallSid')
  const id = sid === null ? null : fromSid('CA', sid)
  if (sid !== null && id === null) refuse(reading, 20001, `ParentCallSid is not valid: ${quote(sid)}`)
  return id
}

function timeFilters(reading: Reading, name: string, column: PgColumn): SQL[] {
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
