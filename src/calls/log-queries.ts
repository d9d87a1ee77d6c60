import { sql } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import type { Platform } from '../platform.ts'
import type { RunningCall } from './call.ts'

/** What a carrier reads in its error logs. */
export type ErrorLog = {
  carrierId: string
  accountId: string | null
  sipTrunkId: string | null
  callId: string | null
  type: string
  message: string
  details: Record<string, unknown>
}

const mostPerMinute = 60
const further = { further: 'The same is not logged again in this minute.' }

/** Stores an error log; 60 a minute at the most of one call, or of one type about one trunk: what one trunk sends cannot fill
 * the table, nor hide what is wrong otherwise. The last one of a minute says so. */
export async function insertErrorLog(db: Db, log: ErrorLog): Promise<void> {
  const { callId, sipTrunkId, type } = log
  const alike =
    callId === null
      ? sql`sip_trunk_id = ${sipTrunkId}::uuid AND type = ${type} AND call_id IS NULL`
      : sql`call_id = ${callId}::uuid`
  await db.execute(sql`
    INSERT INTO error_logs (carrier_id, account_id, sip_trunk_id, call_id, type, message, details)
    SELECT ${log.carrierId}::uuid, ${log.accountId}::uuid, ${sipTrunkId}::uuid, ${callId}::uuid, ${type}, ${log.message},
      ${JSON.stringify(log.details)}::jsonb
        || CASE WHEN recent.count = ${mostPerMinute - 1} THEN ${JSON.stringify(further)}::jsonb ELSE '{}' END
    FROM (SELECT count(*) FROM (SELECT 1 FROM error_logs WHERE ${alike} AND created_at > now() - interval '1 minute'
      LIMIT ${mostPerMinute}) alike) recent
    WHERE recent.count < ${mostPerMinute}`)
}

/** Stores an error log about a call. */
export async function logProblem(
  { db }: Platform,
  call: RunningCall,
  type: string,
  message: string,
  details: Record<string, unknown>,
): Promise<void> {
  const { carrierId, accountId, sipTrunkId, id } = call
  await insertErrorLog(db, { carrierId, accountId, sipTrunkId, callId: id, type, message, details })
}

/** Counts a call from an address that no trunk lists, keeping the last one of each hour as a sample. */
export async function countUnidentified(
  db: Db,
  sourceIp: string,
  sample: Record<string, unknown>,
): Promise<void> {
  await db.execute(sql`
    INSERT INTO unidentified_sources AS u (source_ip, hour, sample)
    VALUES (${sourceIp}::inet, date_trunc('hour', now()), ${JSON.stringify(sample)}::jsonb)
    ON CONFLICT (source_ip, hour) DO UPDATE SET calls = u.calls + 1, sample = excluded.sample, updated_at = now()`)
}
