import type { SQL } from 'drizzle-orm'

/** Which rows of a table a list shows: a condition beside the tenant's, an order that is total, and how many. */
export type Page = { where: SQL | undefined; orderBy: SQL[]; limit: number }

/** The one row that an INSERT … RETURNING gives back. */
export function written<Row>(rows: Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('A written row must come back.')
  return row
}
