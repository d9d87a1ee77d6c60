import { and, eq, exists, inArray, lt, notInArray, sql } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import type { Page } from '../db/rows.ts'
import { phoneCalls, recordings } from '../db/schema.ts'
import type { Recorded } from '../twiml/rules.ts'

/** A recording as it is stored. */
export type Recording = typeof recordings.$inferSelect

/** A page of an account's recordings, without those that were deleted and those that have not begun. */
export const selectRecordings = (db: Db, accountId: string, page: Page): Promise<Recording[]> =>
  db
    .select()
    .from(recordings)
    .where(
      and(
        eq(recordings.accountId, accountId),
        notInArray(recordings.status, ['deleted', 'expected']),
        page.where,
      ),
    )
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

/** Where a recording stands among those of its account, also when it was deleted: a page may begin there. */
export async function placeOfRecording(db: Db, accountId: string, id: string): Promise<number | null> {
  const [place] = await db
    .select({ seq: recordings.seq })
    .from(recordings)
    .where(and(eq(recordings.accountId, accountId), eq(recordings.id, id)))
  return place?.seq ?? null
}

/** Our own URLs of the recordings that a call's Dials may have begun and whose files have not come. */
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
        eq(recordings.source, 'DialVerb'),
        // The switch's word that it began may be late, or lost.
        inArray(recordings.status, ['expected', 'in-progress']),
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

/** Notes on an API call what was recorded of it, for the report of its end. */
export async function noteRecorded(
  db: Db,
  { callId, accountId }: Pick<Recording, 'callId' | 'accountId'>,
  recorded: Recorded,
): Promise<void> {
  await db
    .update(phoneCalls)
    .set({ instructions: sql`${phoneCalls.instructions} || ${JSON.stringify({ recorded })}::jsonb` })
    .where(and(eq(phoneCalls.id, callId), eq(phoneCalls.accountId, accountId)))
}

/** Forgets the recordings of a call that its switch has not come to, and will not: the call is over. */
export async function forgetExpected(db: Db, callId: string): Promise<void> {
  await db.delete(recordings).where(and(eq(recordings.callId, callId), eq(recordings.status, 'expected')))
}

// FreeSWITCH sends a file when its recording ends, which is before it tells the end of the call.
const graceMinutes = 10

/** Recordings whose file is still to come long after the end of their call, a hundred at the most, which nobody else changes
 * until the transaction ends. */
export const lockOverdueRecordings = (tx: Db): Promise<Recording[]> => {
  const longAgo = sql<Date>`now() - ${graceMinutes}::integer * interval '1 minute'`
  const over = and(eq(phoneCalls.id, recordings.callId), lt(phoneCalls.endedAt, longAgo))
  return tx
    .select()
    .from(recordings)
    .where(
      and(
        // Written out, as in the index that finds them.
        sql`${recordings.status} IN ('expected', 'in-progress', 'processing')`,
        lt(recordings.updatedAt, longAgo),
        exists(tx.select({ id: phoneCalls.id }).from(phoneCalls).where(over)),
      ),
    )
    .orderBy(recordings.updatedAt)
    .limit(100)
    .for('update', { of: recordings, skipLocked: true })
}
