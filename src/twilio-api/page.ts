import { and, asc, desc, gt, lt, type SQL } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import type { Context } from 'hono'
import { fromSid, type SidPrefix, toSid } from '../accounts/account.ts'
import type { Page } from '../db/rows.ts'
import { answerProblem } from './error.ts'
import { integer, quote, type Reading, refuse, text } from './parameters.ts'

/** Which page of a list is asked for, as Twilio's SDKs do: they follow `next_page_uri`, which names the item at the edge
 * of the page before, so that nothing is seen twice or missed while new items come. */
export type PageAsked = {
  /** Means something to the client alone. */
  number: number
  size: number
  /** The item after (older than) or before (newer than) which the page is. */
  edge: { id: string; direction: 'after' | 'before' } | null
}

/** Reads PageSize (50 unless said, Twilio's 1000 at the most), Page and PageToken. */
export function readPage(reading: Reading, prefix: SidPrefix): PageAsked {
  const number = integer(reading, 'Page', { code: 20001, least: 0, most: 1_000_000 }) ?? 0
  const size = integer(reading, 'PageSize', { code: 20001, least: 1, most: 1_000_000 }) ?? 50
  const token = text(reading, 'PageToken')
  const [, side, sid] = /^P([AB])(\w{34})$/.exec(token ?? '') ?? []
  const id = sid === undefined ? null : fromSid(prefix, sid)
  if (token !== null && id === null) refuse(reading, 20001, `PageToken is not valid: ${quote(token)}`)
  const edge = id === null ? null : { id, direction: side === 'A' ? ('after' as const) : ('before' as const) }
  return { number, size: Math.min(size, mostItems), edge }
}

const mostItems = 1000

/** A list that is shown in pages, newest first. */
export type Listing<Row extends { id: string; seq: number }> = {
  /** Name of the list in the body. */
  name: string
  /** Path of the list, without `.json`. */
  path: string
  prefix: SidPrefix
  seq: PgColumn
  where: SQL | undefined
  select: (page: Page) => Promise<Row[]>
  /** Position of an item that the account has or had, or null: what was the edge of a page may be deleted by the time the
   * next one is asked for. */
  positionOf: (id: string) => Promise<number | null>
  toJson: (row: Row) => object
}

/** Answers a page of a list in Twilio's envelope. */
export async function answerPage<Row extends { id: string; seq: number }>(
  c: Context,
  reading: Reading,
  listing: Listing<Row>,
): Promise<Response> {
  const asked = readPage(reading, listing.prefix)
  const position = asked.edge === null ? null : await listing.positionOf(asked.edge.id)
  if (asked.edge !== null && position === null)
    refuse(reading, 20001, `PageToken is not valid: ${quote(text(reading, 'PageToken') ?? '')}`)
  if (reading.problem !== null) return answerProblem(c, reading.problem)
  const { items, more } = await find(listing, asked, position)
  return c.json(toEnvelope(c, listing, asked, items, more))
}

async function find<Row extends { id: string; seq: number }>(
  { seq, where, select }: Listing<Row>,
  { size, edge }: PageAsked,
  position: number | null,
): Promise<{ items: Row[]; more: boolean }> {
  const backwards = edge?.direction === 'before'
  const beyond = position === null ? undefined : backwards ? gt(seq, position) : lt(seq, position)
  const found = await select({
    where: and(where, beyond),
    orderBy: [backwards ? asc(seq) : desc(seq)],
    limit: size + 1,
  })
  const items = found.slice(0, size)
  return backwards ? { items: items.reverse(), more: true } : { items, more: found.length > size }
}

function toEnvelope<Row extends { id: string; seq: number }>(
  c: Context,
  { name, path, prefix, toJson }: Listing<Row>,
  { number, size }: PageAsked,
  items: readonly Row[],
  more: boolean,
) {
  const uri = (page: number, edge: string | null) => {
    const query = new URL(c.req.url).searchParams
    for (const mine of ['Page', 'PageSize', 'PageToken']) query.delete(mine)
    query.set('PageSize', String(size))
    query.set('Page', String(page))
    if (edge !== null) query.set('PageToken', edge)
    return `${path}.json?${query}`
  }
  const edgeOf = (side: 'PA' | 'PB', row: Row | undefined) => (row ? `${side}${toSid(prefix, row.id)}` : null)
  return {
    [name]: items.map(toJson),
    first_page_uri: uri(0, null),
    previous_page_uri: number === 0 ? null : uri(number - 1, edgeOf('PB', items[0])),
    next_page_uri: more && items.length > 0 ? uri(number + 1, edgeOf('PA', items.at(-1))) : null,
    uri: `${path}.json${new URL(c.req.url).search}`,
    page: number,
    page_size: size,
    start: number * size,
    end: Math.max(number * size, number * size + items.length - 1),
  }
}
