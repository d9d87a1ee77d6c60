import { and, type SQL, sql } from 'drizzle-orm'
import { decrypt, encrypt, type Keys } from '../secrets.ts'

/** Something that lists can be sorted by: never null, and the same text in a cursor as in the database. */
export type SortKey<Row> = {
  expression: SQL
  cast: 'text' | 'timestamptz' | 'bigint'
  value: (row: Row) => string
}

/** A sort key and its direction. */
export type Order<Row> = SortKey<Row> & { name: string; descending: boolean }

/** Where a page begins: beyond a row with these values, in the order or against it. */
export type Cursor = { values: readonly string[]; backward: boolean }

/** Sorts by a text that is always there. */
export const byText = <Row>(expression: SQL, value: (row: Row) => string): SortKey<Row> => ({
  expression,
  cast: 'text',
  value,
})

/** Sorts by a time, in milliseconds: what a row holds of it. */
export const byTime = <Row>(expression: SQL, value: (row: Row) => Date): SortKey<Row> => ({
  expression: sql`date_trunc('milliseconds', ${expression})`,
  cast: 'timestamptz',
  value: (row) => value(row).toISOString(),
})

/** Sorts by the order of insertion, which every table has an index for. */
export const bySeq = <Row extends { seq: number }>(seq: SQL): SortKey<Row> => ({
  expression: seq,
  cast: 'bigint',
  value: (row) => String(row.seq),
})

/** ORDER BY; against the order when a page is read backward. */
export const orderBy = <Row>(orders: readonly Order<Row>[], backward: boolean): SQL[] =>
  orders.map(({ expression, descending }) =>
    descending === backward ? sql`${expression} ASC` : sql`${expression} DESC`,
  )

/** The condition for rows beyond a cursor: no offset, so every page costs the same. */
export function beyond<Row>(orders: readonly Order<Row>[], { values, backward }: Cursor): SQL | undefined {
  const [order, ...rest] = orders
  const [value, ...others] = values
  if (order === undefined || value === undefined) return undefined
  const limit = sql`${value}::${sql.raw(order.cast)}`
  const further =
    order.descending === backward ? sql`${order.expression} > ${limit}` : sql`${order.expression} < ${limit}`
  if (rest.length === 0) return further
  const equal = and(sql`${order.expression} = ${limit}`, beyond(rest, { values: others, backward }))
  return sql`(${further} OR ${equal})`
}

/** The place of a row in an order. */
export const placeOf = <Row>(orders: readonly Order<Row>[], row: Row): string[] =>
  orders.map(({ value }) => value(row))

/** A cursor as text. It holds the row's values, so that it serves when the row is gone; encrypted, since `seq` counts
 * all tenants' rows. */
export const writeCursor = (
  keys: Keys,
  owner: string,
  orders: readonly { name: string }[],
  values: readonly string[],
) =>
  Buffer.from(encrypt(keys, `cursor:${owner}`, JSON.stringify([orderText(orders), ...values]))).toString(
    'base64url',
  )

/** The values that a cursor of the same owner and order holds, or null. */
export function readCursor(
  keys: Keys,
  owner: string,
  orders: readonly { name: string }[],
  text: string,
): string[] | null {
  try {
    const [order, ...values]: string[] = JSON.parse(
      decrypt(keys, `cursor:${owner}`, Buffer.from(text, 'base64url')),
    )
    return order === orderText(orders) && values.length === orders.length ? values : null
  } catch {
    return null // made up, or of another list
  }
}

const orderText = (orders: readonly { name: string }[]) => orders.map(({ name }) => name).join(',')
