import { and, eq, sql } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { callbackLanes } from '../db/schema.ts'

/** What one account is to be told at one host (two hosts of it may share one, see the table). */
export type Lane = { accountId: string; lane: number }

/** How many rounds of requests in a row the host of a lane left unanswered when this was taken: those that are under way
 * at once are one round, whatever the number of processes. */
export type Suspicion = Lane & { failures: number }

/** Stands before all lanes. */
export const beforeAllLanes: Lane = { accountId: '00000000-0000-0000-0000-000000000000', lane: -1 }

/** After so many the lane rests, but for one report at a time that goes to see. */
export const failuresBeforeRest = 3

// After a host is back its reports are not to wait for longer.
const mostRestSeconds = 300

/** How long a report waits after so many failed attempts: 5 s, doubled each time up to an hour, a quarter more or less
 * by chance. */
export function backoffSeconds(attempts: number, chance: number = Math.random()): number {
  return Math.min(5 * 2 ** (attempts - 1), 3600) * (0.75 + chance / 2)
}

/** How long a lane rests after so many failures: as long as a report after the third of them, and up to 5 minutes. */
export function restSeconds(failures: number, chance?: number): number {
  if (failures < failuresBeforeRest) return 0
  return Math.min(backoffSeconds(failures - failuresBeforeRest + 1, chance), mostRestSeconds)
}

/** Notes that the host of a lane left one more round unanswered. */
export async function suspectLane(db: Db, { accountId, lane, failures }: Suspicion): Promise<void> {
  const counted = failures + 1
  await db.execute(
    sql`INSERT INTO callback_lanes AS s (account_id, lane, failures, rests_until)
      VALUES (${accountId}::uuid, ${lane}::smallint, ${counted}::integer,
        now() + ${restSeconds(counted)}::float8 * interval '1 second')
      ON CONFLICT (account_id, lane) DO UPDATE SET failures = excluded.failures, rests_until = excluded.rests_until
      WHERE s.failures < excluded.failures`,
  )
}

/** Notes that the host of a lane answers. */
export async function trustLane(db: Db, { accountId, lane }: Lane): Promise<void> {
  await db
    .delete(callbackLanes)
    .where(and(eq(callbackLanes.accountId, accountId), eq(callbackLanes.lane, lane)))
}
