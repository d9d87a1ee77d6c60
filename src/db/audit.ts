import { and, eq } from 'drizzle-orm'
import type { Db } from './connect.ts'
import type { Page } from './rows.ts'
import { events } from './schema.ts'

/** One line of the audit trail: what happened to which thing of which carrier. */
export type AuditEvent = {
  carrierId: string
  /** `sip_trunk.updated` and the like. */
  type: string
  resourceId: string | null
  /** The API token that made the change; null when the platform itself did. */
  apiTokenId: string | null
  details: Record<string, unknown>
}

/** Adds a line to the audit trail; in the transaction of the change, so that there is never one without the other. */
export async function recordEvent(db: Db, event: AuditEvent): Promise<void> {
  await db.insert(events).values(event)
}

// What PostgreSQL takes of parameters in one statement is bounded.
const mostAtOnce = 500

/** Adds several lines to the audit trail, in their order. */
export async function recordEvents(db: Db, lines: readonly AuditEvent[]): Promise<void> {
  for (let start = 0; start < lines.length; start += mostAtOnce)
    await db.insert(events).values(lines.slice(start, start + mostAtOnce))
}

/** A stored line of the audit trail. */
export type StoredEvent = AuditEvent & { id: string; seq: number; createdAt: Date }

/** A page of a carrier's audit trail. */
export const selectEvents = (db: Db, carrierId: string, page: Page): Promise<StoredEvent[]> =>
  db
    .select()
    .from(events)
    .where(and(eq(events.carrierId, carrierId), page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)
