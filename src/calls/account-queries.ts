import { and, eq, sql } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import type { Page } from '../db/rows.ts'
import { carriers, phoneCalls } from '../db/schema.ts'

const columns = {
  id: phoneCalls.id,
  seq: phoneCalls.seq,
  accountId: phoneCalls.accountId,
  incomingPhoneNumberId: phoneCalls.incomingPhoneNumberId,
  parentCallId: phoneCalls.parentCallId,
  direction: phoneCalls.direction,
  status: phoneCalls.status,
  from: phoneCalls.from,
  to: phoneCalls.to,
  price: phoneCalls.price,
  priceUnit: sql<string>`coalesce(${phoneCalls.priceUnit}, ${carriers.billingCurrency})`,
  duration: phoneCalls.duration,
  startedAt: phoneCalls.startedAt,
  endedAt: phoneCalls.endedAt,
  createdAt: phoneCalls.createdAt,
  updatedAt: phoneCalls.updatedAt,
}

/** A phone call as its account sees it: nothing of the trunk, and never the channel's UUID. */
export type AccountCall = Awaited<ReturnType<typeof selectAccountCalls>>[number]

/** A page of an account's calls. */
export const selectAccountCalls = (db: Db, accountId: string, page: Page) =>
  db
    .select(columns)
    .from(phoneCalls)
    .innerJoin(carriers, eq(carriers.id, phoneCalls.carrierId))
    .where(and(eq(phoneCalls.accountId, accountId), page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)

/** An account's call, or null. */
export async function accountCall(db: Db, accountId: string, id: string): Promise<AccountCall | null> {
  const [call] = await selectAccountCalls(db, accountId, {
    where: eq(phoneCalls.id, id),
    orderBy: [],
    limit: 1,
  })
  return call ?? null
}
