import { isDeepStrictEqual } from 'node:util'
import type { SQL } from 'drizzle-orm'

/** Which rows of a table a list shows: a condition beside the tenant's, an order that is total, and how many. */
export type Page = { where: SQL | undefined; orderBy: SQL[]; limit: number }

/** The one row that an INSERT … RETURNING gives back. */
export function written<Row>(rows: Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('A written row must come back.')
  return row
}

/** Those of the new values that differ from a row's, or null when none does: then there is nothing to write. */
export function changesOf<Row extends object>(row: Row, values: Partial<Row>): Partial<Row> | null {
  const keys = Object.keys(values) as (keyof Row)[]
  const changed = keys.filter((key) => values[key] !== undefined && !isDeepStrictEqual(values[key], row[key]))
  if (changed.length === 0) return null
  const changes: Partial<Row> = {}
  for (const key of changed) Object.assign(changes, { [key]: values[key] })
  return changes
}
