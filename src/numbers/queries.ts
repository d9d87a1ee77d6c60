import { and, eq, getTableColumns } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { type Page, written } from '../db/rows.ts'
import { accounts, incomingPhoneNumbers, phoneNumbers } from '../db/schema.ts'
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

const isNumber = ({ id, carrierId }: Pick<PhoneNumber, 'id' | 'carrierId'>) =>
  and(eq(phoneNumbers.id, id), eq(phoneNumbers.carrierId, carrierId))

/** A number of a carrier's inventory by its id, or null. */
export async function phoneNumberOfCarrier(
  db: Db,
  carrierId: string,
  id: string,
): Promise<PhoneNumber | null> {
  const [number] = await db.select().from(phoneNumbers).where(isNumber({ id, carrierId }))
  return number ?? null
}

/** A number of a carrier's inventory by its digits, or null. */
export async function phoneNumberByDigits(
  db: Db,
  carrierId: string,
  digits: string,
): Promise<PhoneNumber | null> {
  const [number] = await db
    .select()
    .from(phoneNumbers)
    .where(and(eq(phoneNumbers.carrierId, carrierId), eq(phoneNumbers.number, digits)))
  return number ?? null
}

/** Stores changes of a number. */
export async function updatePhoneNumber(
  db: Db,
  number: PhoneNumber,
  changes: Partial<PhoneNumber>,
): Promise<PhoneNumber> {
  return written(
    await db
      .update(phoneNumbers)
      .set({ ...changes, updatedAt: new Date() })
      .where(isNumber(number))
      .returning(),
  )
}

/** Deletes a number and its assignments. */
export async function deletePhoneNumber(db: Db, number: PhoneNumber): Promise<void> {
  await db
    .delete(incomingPhoneNumbers)
    .where(
      and(
        eq(incomingPhoneNumbers.phoneNumberId, number.id),
        eq(incomingPhoneNumbers.carrierId, number.carrierId),
      ),
    )
  await db.delete(phoneNumbers).where(isNumber(number))
}

/** Who has, and had, a number. */
export const assignmentsOf = (
  db: Db,
  { id, carrierId }: Pick<PhoneNumber, 'id' | 'carrierId'>,
): Promise<{ id: string; status: IncomingPhoneNumber['status'] }[]> =>
  db
    .select({ id: incomingPhoneNumbers.id, status: incomingPhoneNumbers.status })
    .from(incomingPhoneNumbers)
    .where(and(eq(incomingPhoneNumbers.phoneNumberId, id), eq(incomingPhoneNumbers.carrierId, carrierId)))

/** Whether a carrier has an account. */
export async function hasAccount(db: Db, carrierId: string, id: string): Promise<boolean> {
  const found = await db
    .select({ id: accounts.id })
    .from(accounts)
    .where(and(eq(accounts.id, id), eq(accounts.carrierId, carrierId)))
  return found.length === 1
}

/** Stores changes of an assignment. */
export async function updateIncomingPhoneNumber(
  db: Db,
  incoming: Pick<IncomingPhoneNumber, 'id' | 'carrierId'>,
  changes: Partial<IncomingPhoneNumber>,
): Promise<IncomingPhoneNumber> {
  return written(
    await db
      .update(incomingPhoneNumbers)
      .set({ ...changes, updatedAt: new Date() })
      .where(
        and(eq(incomingPhoneNumbers.id, incoming.id), eq(incomingPhoneNumbers.carrierId, incoming.carrierId)),
      )
      .returning(incomingColumns),
  )
}
