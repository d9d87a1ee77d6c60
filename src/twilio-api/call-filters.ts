import { and, eq, type SQL } from 'drizzle-orm'
import { fromSid } from '../accounts/account.ts'
import { callStatuses, phoneCalls } from '../db/schema.ts'
import { normalise } from '../numbers/e164.ts'
import { choice, quote, type Reading, refuse, text } from './parameters.ts'
import { timeFilters } from './time-filters.ts'

/** The condition that the filters of a list of calls make: To, From, Status, ParentCallSid, and StartTime and EndTime with
 * `=`, `<=` and `>=` (the names are then `StartTime<` and `StartTime>`). */
export function callFilters(reading: Reading): SQL | undefined {
  const [to, from] = [text(reading, 'To'), text(reading, 'From')]
  const status = choice(reading, 'Status', 20001, callStatuses)
  const parent = callOf(reading, 'ParentCallSid')
  return and(
    to === null ? undefined : eq(phoneCalls.to, normalise(to, null)),
    from === null ? undefined : eq(phoneCalls.from, normalise(from, null)),
    status === null ? undefined : eq(phoneCalls.status, status),
    parent === null ? undefined : eq(phoneCalls.parentCallId, parent),
    ...timeFilters(reading, 'StartTime', phoneCalls.startedAt),
    ...timeFilters(reading, 'EndTime', phoneCalls.endedAt),
  )
}

/** The id of the call that a parameter names, or null when it is absent. */
export function callOf(reading: Reading, name: string): string | null {
  const sid = text(reading, name)
  const id = sid === null ? null : fromSid('CA', sid)
  if (sid !== null && id === null) refuse(reading, 20001, `${name} is not valid: ${quote(sid)}`)
  return id
}
