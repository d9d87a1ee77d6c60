import { and, eq, getTableColumns, sql } from 'drizzle-orm'
import type { Carrier } from '../accounts/account.ts'
import type { Db } from '../db/connect.ts'
import { type Page, written } from '../db/rows.ts'
import { errorLogs, phoneCalls, webhookRequests } from '../db/schema.ts'

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

const { document: ___, params: ____, ...requestColumns } = getTableColumns(webhookRequests)
const shownRequest = {
  ...requestColumns,
  answer: sql<string | null>`left(${webhookRequests.document}, 500)`,
}

/** A request for TwiML as its carrier sees it, with the first characters of what came back. What was posted is not in it:
 * keys that a caller pressed may be a secret of his. */
export type WebhookRequestRecord = Omit<typeof webhookRequests.$inferSelect, 'document' | 'params'> & {
  answer: string | null
}

/** The condition that leaves out documents that came without a request. */
export const wasAsked = sql`${webhookRequests.url} <> ''`

/** A page of a carrier's requests for TwiML. */
export const selectWebhookRequests = (
  db: Db,
  carrierId: string,
  page: Page,
): Promise<WebhookRequestRecord[]> =>
  db
    .select(shownRequest)
    .from(webhookRequests)
    .where(and(eq(webhookRequests.carrierId, carrierId), wasAsked, page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)
