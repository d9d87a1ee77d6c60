import { and, eq, getTableColumns } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { type Page, written } from '../db/rows.ts'
import { incomingPhoneNumbers, phoneNumbers } from '../db/schema.ts'
import type { IncomingPhoneNumber, PhoneNumber } from './phone-number.ts'

type Unset = 'id' | 'seq' | 'createdAt' | 'updatedAt'

/** Stores a number in the inventory. */
export async function insertPhoneNumber(
  db: Db,
  number: Omit<PhoneNumber, Unset | 'visibility' | 'metadata'> & Partial<PhoneNumber>,
): Promise<PhoneNumber> {
  return written(await db.insert(phoneNumbers).values(number).returning())
}

/** A page of a carrier's inventory. */
export const selectPhoneNumbers = (db: Db, carrierId: string, page: Page): Promise<PhoneNumber[]> =>
  db
    .select()
    .from(phoneNumbers)
    .where(and(eq(phoneNumbers.carrierId, carrierId), page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)

/** Assigns a number of the inventory to an account of the same carrier. */
export async function insertIncomingPhoneNumber(
  db: Db,
  account: { id: string },
  phoneNumber: Pick<PhoneNumber, 'id' | 'carrierId' | 'number'>,
  settings: Partial<IncomingPhoneNumber> = {},
): Promise<IncomingPhoneNumber> {
  const { id, carrierId, number } = phoneNumber
  const row = { ...settings, carrierId, accountId: account.id, phoneNumberId: id, number }
  return written(await db.insert(incomingPhoneNumbers).values(row).returning(incomingColumns))
}

const { numberTail: _, ...incomingColumns } = getTableColumns(incomingPhoneNumbers)

/** A page of a carrier's assignments, active and released. */
export const selectIncomingPhoneNumbers = (
  db: Db,
  carrierId: string,
  page: Page,
): Promise<IncomingPhoneNumber[]> =>
  db
    .select(incomingColumns)
    .from(incomingPhoneNumbers)
    .where(and(eq(incomingPhoneNumbers.carrierId, carrierId), page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)
