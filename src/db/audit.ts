import type { Db } from './connect.ts'
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
