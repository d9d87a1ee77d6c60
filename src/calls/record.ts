import { and, eq, getTableColumns } from 'drizzle-orm'
import type { Carrier } from '../accounts/account.ts'
import type { Db } from '../db/connect.ts'
import { type Page, written } from '../db/rows.ts'
import { errorLogs, phoneCalls } from '../db/schema.ts'

// A call as a record for customers. The channel's UUID is not in it: whoever knows it can take the call over.
const { channelUuid: _, instructions: __, ...recordColumns } = getTableColumns(phoneCalls)

/** A phone call as its carrier sees it. */
export type CallRecord = Omit<typeof phoneCalls.$inferSelect, 'channelUuid' | 'instructions'>

/** A page of a carrier's phone calls. */
export const selectCallRecords = (db: Db, carrierId: string, page: Page): Promise<CallRecord[]> =>
  db
    .select(recordColumns)
    .from(phoneCalls)
    .where(and(eq(phoneCalls.carrierId, carrierId), page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)

/** Sets the price of a call, in the carrier's currency, or takes it away. The end of the call leaves a price as it is. */
export async function setPrice(
  db: Db,
  carrier: Carrier,
  call: CallRecord,
  price: string | null,
): Promise<CallRecord> {
  const priceUnit = price === null ? null : carrier.billingCurrency
  return written(
    await db
      .update(phoneCalls)
      .set({ price, priceUnit, updatedAt: new Date() })
      .where(and(eq(phoneCalls.id, call.id), eq(phoneCalls.carrierId, carrier.id)))
      .returning(recordColumns),
  )
}

/** An error log as its carrier sees it. */
export type ErrorLogRecord = typeof errorLogs.$inferSelect

/** A page of a carrier's error logs. */
export const selectErrorLogs = (db: Db, carrierId: string, page: Page): Promise<ErrorLogRecord[]> =>
  db
    .select()
    .from(errorLogs)
    .where(and(eq(errorLogs.carrierId, carrierId), page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)
