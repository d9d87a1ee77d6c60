import { and, asc, desc, eq, getTableColumns, inArray, isNotNull, sql } from 'drizzle-orm'
import type { Account } from '../accounts/account.ts'
import { clearTrunk } from '../accounts/queries.ts'
import type { Db } from '../db/connect.ts'
import type { Page } from '../db/rows.ts'
import { sipTrunks, trunkRoutePrefixes, trunkSourceIps } from '../db/schema.ts'
import type { Keys } from '../secrets.ts'
import { passwordOf } from './credentials.ts'
import type { Trunk } from './trunk.ts'

/** The columns that make a `Trunk`, for any select from `sip_trunks`. */
export const trunkColumns = {
  ...getTableColumns(sipTrunks),
  sourceIps: sql<string[]>`ARRAY(
    SELECT abbrev(network) FROM sip_trunk_source_ips
    WHERE trunk_id = sip_trunks.id ORDER BY position)`,
  outboundRoutePrefixes: sql<string[]>`ARRAY(
    SELECT prefix FROM sip_trunk_route_prefixes
    WHERE trunk_id = sip_trunks.id AND prefix <> '' ORDER BY position)`,
}

/** A page of a carrier's trunks. */
export const selectTrunks = (db: Db, carrierId: string, page: Page): Promise<Trunk[]> =>
  db
    .select(trunkColumns)
    .from(sipTrunks)
    .where(and(eq(sipTrunks.carrierId, carrierId), page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)

/** A carrier's trunk, or null. */
export async function trunkOfCarrier(db: Db, carrierId: string, id: string): Promise<Trunk | null> {
  const [trunk] = await db
    .select(trunkColumns)
    .from(sipTrunks)
    .where(and(eq(sipTrunks.id, id), eq(sipTrunks.carrierId, carrierId)))
  return trunk ?? null
}

/** The trunk with an id, whoever its carrier is: for what switches ask. */
export async function trunkById(db: Db, id: string): Promise<Trunk | null> {
  const [trunk] = await db.select(trunkColumns).from(sipTrunks).where(eq(sipTrunks.id, id))
  return trunk ?? null
}

/** Whether the stored passwords of the first trunks that have one can be read with these keys, of whichever carrier. */
export async function tryPasswords(db: Db, keys: Keys, most: number): Promise<boolean[]> {
  const found = await db
    .select({ id: sipTrunks.id, passwordEncrypted: sipTrunks.passwordEncrypted })
    .from(sipTrunks)
    .where(isNotNull(sipTrunks.passwordEncrypted))
    .limit(most)
  return found.map((trunk) => passwordOf(keys, trunk) !== null)
}

/** Whether another `client_credentials` trunk of the platform has a user name. */
export async function isClientUsernameTaken(db: Db, username: string, besideId: string): Promise<boolean> {
  const found = await db
    .select({ id: sipTrunks.id })
    .from(sipTrunks)
    .where(and(eq(sipTrunks.username, username), eq(sipTrunks.authenticationMode, 'client_credentials')))
  return found.some(({ id }) => id !== besideId)
}

/** A trunk's own columns, without its lists and what the database sets. */
export type TrunkRow = Omit<Trunk, 'seq' | 'createdAt' | 'updatedAt' | 'sourceIps' | 'outboundRoutePrefixes'>

/** Stores a new trunk, without its lists. */
export async function insertTrunkRow(db: Db, row: TrunkRow): Promise<void> {
  await db.insert(sipTrunks).values(row)
}

/** Stores a changed trunk, without its lists. */
export async function updateTrunkRow(db: Db, row: TrunkRow): Promise<void> {
  await db
    .update(sipTrunks)
    .set({ ...row, updatedAt: new Date() })
    .where(and(eq(sipTrunks.id, row.id), eq(sipTrunks.carrierId, row.carrierId)))
}

/** Replaces the source addresses of a trunk. */
export async function replaceSourceIps(db: Db, trunkId: string, networks: readonly string[]): Promise<void> {
  await db.delete(trunkSourceIps).where(eq(trunkSourceIps.trunkId, trunkId))
  if (networks.length === 0) return
  await db
    .insert(trunkSourceIps)
    .values(networks.map((network, position) => ({ trunkId, position, network })))
}

/** Replaces the route prefixes of a trunk; none is stored as the empty one, which every number begins with. */
export async function replaceRoutePrefixes(
  db: Db,
  trunk: Pick<Trunk, 'id' | 'carrierId'>,
  prefixes: readonly string[],
): Promise<void> {
  const stored = prefixes.length === 0 ? [''] : prefixes
  await db.delete(trunkRoutePrefixes).where(eq(trunkRoutePrefixes.trunkId, trunk.id))
  await db.insert(trunkRoutePrefixes).values(
    stored.map((prefix, position) => ({
      trunkId: trunk.id,
      carrierId: trunk.carrierId,
      position,
      prefix,
    })),
  )
}

/** Deletes a trunk. Accounts dedicated to it share the carrier's trunks again: they are given as they were and as they
 * are. Calls and error logs keep its id. */
export async function deleteTrunk(
  db: Db,
  trunk: Pick<Trunk, 'id' | 'carrierId'>,
): Promise<{ before: Account; after: Account }[]> {
  const cleared = await clearTrunk(db, trunk)
  await db.delete(sipTrunks).where(and(eq(sipTrunks.id, trunk.id), eq(sipTrunks.carrierId, trunk.carrierId)))
  return cleared
}

/** The `client_credentials` trunk with a digest user name, or null. */
export async function clientTrunkByUsername(db: Db, username: string): Promise<Trunk | null> {
  const [trunk] = await db
    .select(trunkColumns)
    .from(sipTrunks)
    .where(and(eq(sipTrunks.username, username), sql`authentication_mode = 'client_credentials'`))
  return trunk ?? null
}

/** A carrier's trunks whose route prefix is one of these (all prefixes of a number, the empty one included), the longest
 * first, then in the order of creation: `= ANY` on an index, 50 at the most. */
export async function trunksByPrefix(
  db: Db,
  carrierId: string,
  prefixes: readonly string[],
): Promise<{ trunk: Trunk; prefix: string; shared: boolean }[]> {
  const found = await db
    .select({
      ...trunkColumns,
      prefix: trunkRoutePrefixes.prefix,
      shared: sql<boolean>`NOT EXISTS (SELECT 1 FROM accounts a WHERE a.sip_trunk_id = ${sipTrunks.id})`,
    })
    .from(trunkRoutePrefixes)
    .innerJoin(sipTrunks, eq(sipTrunks.id, trunkRoutePrefixes.trunkId))
    .where(
      and(eq(trunkRoutePrefixes.carrierId, carrierId), inArray(trunkRoutePrefixes.prefix, [...prefixes])),
    )
    .orderBy(desc(sql`length(${trunkRoutePrefixes.prefix})`), asc(sipTrunks.seq))
    .limit(50)
  return found.map(({ prefix, shared, ...trunk }) => ({ trunk, prefix, shared }))
}
