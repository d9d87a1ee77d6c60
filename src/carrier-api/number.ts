import { sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import * as v from 'valibot'
import { type Filter, filter } from '../json-api/filter.ts'
import { readBy } from '../json-api/schemas.ts'
import { shown } from '../numbers/e164.ts'

/** A number as people write it, read as the digits that are stored. */
export const digits = readBy((text) => {
  const value = text.replace(/^\+|[\s().-]/g, '')
  return /^\d{1,15}$/.test(value) ? { value } : { problem: 'must be 1 to 15 digits, after one + at most' }
})

/** A number in a filter, with or without its plus. A `+` in a query that was not encoded arrives as a space. */
export const numberFilter = (column: PgColumn): Filter =>
  filter(
    'A number, with or without its plus.',
    v.string(),
    (text) => sql`${column} = ${text.replace(/^[ +]/, '')}`,
  )

/** The same for columns that hold numbers of calls: E.164 with its plus, and what is no number as it is. */
export const callNumberFilter = (column: PgColumn): Filter =>
  filter('A number, with or without its plus, or another caller id.', v.string(), (text) => {
    const bare = text.replace(/^[ +]/, '')
    return sql`${column} IN (${bare}, ${`+${bare}`})`
  })

/** A number of a call as it is shown: `+` before E.164 whichever way it was stored. */
export const shownParty = (party: string): string => (/^\d+$/.test(party) ? shown(party) : party)
