import { randomUUID } from 'node:crypto'
import { and, eq, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { type Page, written } from '../db/rows.ts'
import { accounts, carriers, sipTrunks } from '../db/schema.ts'
import type { Keys } from '../secrets.ts'
import type { Account, Carrier } from './account.ts'
import { encryptAuthToken, newAuthToken } from './tokens.ts'

/** Stores a carrier. */
export async function insertCarrier(
  db: Db,
  carrier: Pick<Carrier, 'name' | 'countryCode' | 'billingCurrency'>,
): Promise<Carrier> {
  return written(await db.insert(carriers).values(carrier).returning())
}

/** A page of all carriers: for the operator only. */
export const selectCarriers = (db: Db, page: Page): Promise<Carrier[]> =>
  db
    .select()
    .from(carriers)
    .where(page.where)
    .orderBy(...page.orderBy)
    .limit(page.limit)

/** The carrier with an id, or null. */
export async function carrierById(db: Db, id: string): Promise<Carrier | null> {
  const [carrier] = await db.select().from(carriers).where(eq(carriers.id, id))
  return carrier ?? null
}

/** Stores an account with a new auth token. */
export async function insertAccount(
  db: Db,
  keys: Keys,
  account: Pick<Account, 'carrierId' | 'name'> & Partial<Account>,
): Promise<Account> {
  const id = randomUUID()
  const authTokenEncrypted = encryptAuthToken(keys, id, newAuthToken())
  return written(
    await db
      .insert(accounts)
      .values({ ...account, id, authTokenEncrypted })
      .returning(),
  )
}

/** A page of a carrier's accounts. */
export const selectAccounts = (db: Db, carrierId: string, page: Page): Promise<Account[]> =>
  db
    .select()
    .from(accounts)
    .where(and(eq(accounts.carrierId, carrierId), page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)

/** The account with an id, whoever its carrier is: for doors that the account itself opens. */
export async function accountById(db: Db, id: string): Promise<Account | null> {
  const [account] = await db.select().from(accounts).where(eq(accounts.id, id))
  return account ?? null
}

/** A carrier's account, or null. */
export async function accountOfCarrier(db: Db, carrierId: string, id: string): Promise<Account | null> {
  const [account] = await db
    .select()
    .from(accounts)
    .where(and(eq(accounts.id, id), eq(accounts.carrierId, carrierId)))
  return account ?? null
}

/** Stores changes of an account. */
export async function updateAccount(db: Db, account: Account, changes: Partial<Account>): Promise<Account> {
  return written(
    await db
      .update(accounts)
      .set({ ...changes, updatedAt: new Date() })
      .where(and(eq(accounts.id, account.id), eq(accounts.carrierId, account.carrierId)))
      .returning(),
  )
}

/** Deletes an account with its released numbers. */
export async function deleteAccount(db: Db, account: Account): Promise<void> {
  await db.delete(accounts).where(and(eq(accounts.id, account.id), eq(accounts.carrierId, account.carrierId)))
}

/** Takes their dedicated trunk from all accounts that have it, and gives them as they were and as they are. */
export async function clearTrunk(
  db: Db,
  trunk: { id: string; carrierId: string },
): Promise<{ before: Account; after: Account }[]> {
  const dedicated = and(eq(accounts.sipTrunkId, trunk.id), eq(accounts.carrierId, trunk.carrierId))
  const before = await db.select().from(accounts).where(dedicated).orderBy(accounts.seq).for('update')
  if (before.length === 0) return []
  const cleared = await db
    .update(accounts)
    .set({ sipTrunkId: null, updatedAt: new Date() })
    .where(dedicated)
    .returning()
  const after = new Map(cleared.map((account) => [account.id, account]))
  return before.flatMap((account) => {
    const changed = after.get(account.id)
    return changed === undefined ? [] : [{ before: account, after: changed }]
  })
}

/** Whether a carrier has a trunk. */
export async function hasTrunk(db: Db, carrierId: string, id: string): Promise<boolean> {
  const found = await db
    .select({ id: sipTrunks.id })
    .from(sipTrunks)
    .where(and(eq(sipTrunks.id, id), eq(sipTrunks.carrierId, carrierId)))
  return found.length === 1
}

/** What keeps an account from being deleted: ids by kind, a few of each. */
export async function dependentsOf(
  db: Db,
  { id, carrierId }: Pick<Account, 'id' | 'carrierId'>,
): Promise<{ kind: string; ids: string[] }[]> {
  const found = await rows<{ kind: string; id: string }>(
    db,
    sql`
    (SELECT 'incoming phone numbers' AS kind, id FROM incoming_phone_numbers
      WHERE account_id = ${id} AND carrier_id = ${carrierId} AND status = 'active' ORDER BY seq LIMIT 4)
    UNION ALL
    (SELECT 'phone calls', id FROM phone_calls
      WHERE account_id = ${id} AND carrier_id = ${carrierId} ORDER BY seq LIMIT 4)`,
  )
  const kinds = [...new Set(found.map(({ kind }) => kind))]
  return kinds.map((kind) => ({
    kind,
    ids: found.filter((row) => row.kind === kind).map((row) => row.id),
  }))
}

/** Stores changes of a carrier. */
export async function updateCarrier(db: Db, carrier: Carrier, changes: Partial<Carrier>): Promise<Carrier> {
  return written(
    await db
      .update(carriers)
      .set({ ...changes, updatedAt: new Date() })
      .where(eq(carriers.id, carrier.id))
      .returning(),
  )
}
