import { and, eq, ne } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import type { Page } from '../db/rows.ts'
import { recordings } from '../db/schema.ts'

/** A recording as it is stored. */
export type Recording = typeof recordings.$inferSelect

/** A page of an account's recordings, without those that were deleted. */
export const selectRecordings = (db: Db, accountId: string, page: Page): Promise<Recording[]> =>
  db
    .select()
    .from(recordings)
    .where(and(eq(recordings.accountId, accountId), ne(recordings.status, 'deleted'), page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)

/** An account's recording, or null; one that was deleted is none. */
export async function recordingOf(db: Db, accountId: string, id: string): Promise<Recording | null> {
  const [recording] = await selectRecordings(db, accountId, {
    where: eq(recordings.id, id),
    orderBy: [],
    limit: 1,
  })
  return recording ?? null
}

/** Our own URLs of the recordings that a call's Dials have begun and whose files have not come. */
export async function openRecordingsOfDials(
  db: Db,
  call: { id: string; accountId: string },
): Promise<string[]> {
  const open = await db
    .select({ uploadUrl: recordings.uploadUrl })
    .from(recordings)
    .where(
      and(
        ...[eq(recordings.callId, call.id), eq(recordings.accountId, call.accountId)],
        ...[eq(recordings.source, 'DialVerb'), eq(recordings.status, 'in-progress')],
      ),
    )
    .orderBy(recordings.seq)
  return open.flatMap(({ uploadUrl }) => uploadUrl ?? [])
}

/** Marks a recording as deleted; what comes to be uploaded for it later is not kept. */
export async function markRecordingDeleted(
  db: Db,
  recording: Pick<Recording, 'id' | 'accountId'>,
): Promise<void> {
  await db
    .update(recordings)
    .set({ status: 'deleted', updatedAt: new Date() })
    .where(and(eq(recordings.id, recording.id), eq(recordings.accountId, recording.accountId)))
}
