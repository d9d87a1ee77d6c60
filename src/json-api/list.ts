import { and, eq, type SQL } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import type { Page } from '../db/rows.ts'
import type { Keys } from '../secrets.ts'
import { isUuid } from '../sid.ts'
import { type ApiError, badParameter } from './error.ts'
import { beyond, type Cursor, orderBy, placeOf, readCursor, writeCursor } from './page.ts'
import type { ListQuery } from './query.ts'

/** Where rows of a list come from. `owner` ties cursors to one tenant and type. */
export type Source<Row> = {
  select: (page: Page) => Promise<Row[]>
  id: PgColumn
  owner: string
  keys: Keys
}

/** A page of rows, and the cursors of the pages before and after it (null: there is none). */
export type Listed<Row> = { rows: Row[]; before: string | null; after: string | null }

/** Reads one page of a list. */
export async function readPage<Row>(
  source: Source<Row>,
  query: ListQuery<Row>,
): Promise<Listed<Row> | ApiError[]> {
  const { orders, filters, page } = query
  const cursor = await findCursor(source, query)
  if (cursor === 'unknown')
    return [badParameter(page.cursor?.name ?? 'page', 'It is no cursor of this list in this order.')]
  const backward = cursor?.backward ?? false
  const read = (beyondOf: Cursor | null, limit: number) =>
    source.select({
      where: and(...filters, beyondOf === null ? undefined : beyond(orders, beyondOf)),
      orderBy: orderBy(orders, beyondOf?.backward ?? false),
      limit,
    })
  const found = await read(cursor, page.size + 1)
  const more = found.length > page.size
  const rows = backward ? found.slice(0, page.size).reverse() : found.slice(0, page.size)
  const [first, last] = [rows[0], rows.at(-1)]
  if (first === undefined || last === undefined) return { rows, before: null, after: null }

  // On the side that the page was not read towards, one row more tells whether there is another page.
  const other: Cursor = { values: placeOf(orders, backward ? last : first), backward: !backward }
  const othersExist = cursor !== null && (await read(other, 1)).length > 0
  const write = (row: Row) => writeCursor(source.keys, source.owner, orders, placeOf(orders, row))
  return {
    rows,
    before: (backward ? more : othersExist) ? write(first) : null,
    after: (backward ? othersExist : more) ? write(last) : null,
  }
}

// A cursor is one that we wrote, or the id of a row that is still there.
async function findCursor<Row>(
  { select, id, owner, keys }: Source<Row>,
  { orders, page: { cursor } }: ListQuery<Row>,
): Promise<Cursor | null | 'unknown'> {
  if (cursor === null) return null
  const backward = cursor.name === 'page[before]'
  const written = readCursor(keys, owner, orders, cursor.text)
  if (written !== null) return { values: written, backward }
  if (!isUuid(cursor.text)) return 'unknown'
  const [row] = await select({ where: eq(id, cursor.text), orderBy: [] as SQL[], limit: 1 })
  return row === undefined ? 'unknown' : { values: placeOf(orders, row), backward }
}
