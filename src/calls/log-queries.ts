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

const mostLogsPerMinute = 60

/** Stores an error log, 60 a minute and trunk at the most: what one trunk sends cannot fill the table. */
export async function insertErrorLog(db: Db, log: ErrorLog): Promise<void> {
  await db.execute(sql`
    INSERT INTO error_logs (carrier_id, account_id, sip_trunk_id, call_id, type, message, details)
    SELECT ${log.carrierId}::uuid, ${log.accountId}::uuid, ${log.sipTrunkId}::uuid, ${log.callId}::uuid, ${log.type},
      ${log.message}, ${JSON.stringify(log.details)}::jsonb
    WHERE ${log.sipTrunkId}::uuid IS NULL OR (
      SELECT count(*) FROM (
        SELECT 1 FROM error_logs WHERE sip_trunk_id = ${log.sipTrunkId}::uuid AND created_at > now() - interval '1 minute'
        LIMIT ${mostLogsPerMinute}
      ) recent
    ) < ${mostLogsPerMinute}`)
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
