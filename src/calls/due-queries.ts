import { eq, sql } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { phoneCalls } from '../db/schema.ts'
import type { Instructions } from './call.ts'

/** Channel on which the server processes hear that there is something to do for a call. */
export const dueChannel = 'calls_due'

/** What there is to do: to place a queued call, or to tell a switch what the API wants of one. */
export type DueWork = 'queue' | 'wish'

/** Wakes the call work of every server process, once the transaction is through. */
export async function wakeCallWork(db: Db, work: DueWork): Promise<void> {
  await db.execute(sql`SELECT pg_notify(${dueChannel}, ${work})`)
}

/** The same, if calls wait for a channel of the trunk that has just become free. */
export async function wakeQueueOf(db: Db, trunkId: string | null): Promise<void> {
  await db.execute(sql`SELECT pg_notify(${dueChannel}, 'queue')
    WHERE EXISTS (SELECT 1 FROM phone_calls WHERE status = 'queued' AND sip_trunk_id = ${trunkId}::uuid)`)
}

/** Puts a call that has failed on one trunk into the queue of another. */
export async function moveInQueue(
  db: Db,
  callId: string,
  moved: { sipTrunkId: string; channelUuid: string; instructions: Instructions; steps: readonly object[] },
): Promise<void> {
  const { steps, ...columns } = moved
  await db
    .update(phoneCalls)
    .set({
      ...columns,
      ...{ status: 'queued', placingUntil: null, switchName: null, dueAt: null, updatedAt: new Date() },
      routeSteps: sql`${phoneCalls.routeSteps} || ${JSON.stringify(steps)}::jsonb`,
    })
    .where(eq(phoneCalls.id, callId))
  await wakeCallWork(db, 'queue')
}
