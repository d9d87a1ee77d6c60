import { type SQL, sql } from 'drizzle-orm'
import { type Db, rows } from './db/connect.ts'
import type { Platform } from './platform.ts'
import { giveUpOldCallbacks } from './webhooks/callback-queries.ts'

const hourMilliseconds = 3_600_000

/** Throws away what nobody needs any more, once an hour, in every process; the function that it gives stops it. Calls,
 * CDRs and the audit trail are the carriers' and stay; so do error logs for 90 days and requests for TwiML for 30. A status
 * callback that was not delivered within a day is given up. */
export function startHousekeeping(platform: Platform): () => Promise<void> {
  const timer = setInterval(
    () => tidy(platform).catch((error) => platform.log.error({ err: error }, 'Housekeeping failed')),
    hourMilliseconds,
  )
  return async () => clearInterval(timer)
}

/** Throws away all that is too old now, a thousand rows a statement at the most: nothing else waits for it for long. */
export async function tidy({ db, database }: Pick<Platform, 'db' | 'database'>): Promise<void> {
  for (const deletion of deletions) while ((await deleted(db, deletion)) > 0);
  while ((await giveUpOldCallbacks(db)) > 0);
  // PostgreSQL does this by itself; the embedded one has no process that would.
  if (database.embedded) await db.execute(sql`ANALYZE`)
}

// One process at a time deletes; another finds nothing to do meanwhile.
async function deleted(db: Db, deletion: SQL): Promise<number> {
  const [counted] = await rows<{ rows: number }>(
    db,
    sql`WITH turn AS (SELECT pg_try_advisory_xact_lock(hashtext('freeswitch-trunks housekeeping')) AS mine),
      gone AS (${deletion} AND (SELECT mine FROM turn) RETURNING 1) SELECT count(*)::integer AS rows FROM gone`,
  )
  return counted?.rows ?? 0
}

// Each finds its rows by an index.
const byTime = (table: SQL, key: SQL, time: SQL, age: SQL) => sql`
  DELETE FROM ${table} WHERE (${key}) IN
    (SELECT ${key} FROM ${table} WHERE ${time} < now() - ${age} ORDER BY ${time} LIMIT 1000)`

// The oldest of each carrier stand first in the index of its lists; of most carriers one row is looked at.
const ofCarriers = (table: SQL, age: SQL) => sql`
  DELETE FROM ${table} WHERE id IN (
    SELECT old.id FROM carriers c
    CROSS JOIN LATERAL (SELECT created_at FROM ${table} WHERE carrier_id = c.id ORDER BY seq LIMIT 1) first
    CROSS JOIN LATERAL (SELECT id, created_at FROM ${table} WHERE carrier_id = c.id ORDER BY seq LIMIT 1000) old
    WHERE first.created_at < now() - ${age} AND old.created_at < now() - ${age} LIMIT 1000)`

const deletions = [
  byTime(sql`unidentified_sources`, sql`source_ip, hour`, sql`hour`, sql`interval '30 days'`),
  byTime(sql`idempotency_keys`, sql`account_id, key`, sql`created_at`, sql`interval '2 days'`),
  // A prompt that a call still needs is young: the step that names it sees to it.
  byTime(sql`audio_prompts`, sql`id`, sql`created_at`, sql`interval '30 days'`),
  byTime(sql`callback_lanes`, sql`account_id, lane`, sql`rests_until`, sql`interval '2 days'`),
  ofCarriers(sql`webhook_requests`, sql`interval '30 days'`),
  ofCarriers(sql`error_logs`, sql`interval '90 days'`),
]
