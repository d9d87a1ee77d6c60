import { randomUUID } from 'node:crypto'
import { and, eq } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { type Page, written } from '../db/rows.ts'
import { accounts, carriers } from '../db/schema.ts'
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
