import { sql } from 'drizzle-orm'
import type { Instructions } from '../calls/call.ts'
import { type Db, rows } from '../db/connect.ts'

/** The trunks that queued calls wait for, each found by one look into the index, whatever the length of its queue; null
 * is the queue of calls to SIP URIs, which take no trunk. */
export async function waitingTrunks(db: Db): Promise<(string | null)[]> {
  const waiting = await rows<{ sip_trunk_id: string | null }>(
    db,
    sql`WITH RECURSIVE waiting AS (
      (SELECT sip_trunk_id FROM phone_calls WHERE status = 'queued' AND sip_trunk_id IS NOT NULL
        ORDER BY sip_trunk_id LIMIT 1)
      UNION ALL
      SELECT (SELECT p.sip_trunk_id FROM phone_calls p WHERE p.status = 'queued' AND p.sip_trunk_id > w.sip_trunk_id
        ORDER BY p.sip_trunk_id LIMIT 1)
      FROM waiting w WHERE w.sip_trunk_id IS NOT NULL
    )
    SELECT sip_trunk_id FROM waiting WHERE sip_trunk_id IS NOT NULL
    UNION ALL
    SELECT NULL WHERE EXISTS (SELECT 1 FROM phone_calls WHERE status = 'queued' AND sip_trunk_id IS NULL)`,
  )
  return waiting.map(({ sip_trunk_id }) => sip_trunk_id)
}

/** A call that this process is to have a switch place. */
export type TakenCall = {
  id: string
  carrierId: string
  accountId: string
  sipTrunkId: string | null
  channelUuid: string
  from: string
  to: string
  instructions: Instructions
  /** Whether its account may still call, and show that number. */
  allowed: boolean
}

const inQueueOf = (trunkId: string | null) =>
  trunkId === null ? sql`sip_trunk_id IS NULL` : sql`sip_trunk_id = ${trunkId}::uuid`

// Longer than a switch may take to answer that it has the order (event-socket/connection.ts).
const placingSeconds = 15

// After this long a call whose placing has not become clear, since its switch is away, holds up its trunk no more.
const unclearSeconds = 60

/** A switch takes a session apart for some milliseconds after it has told us of its end. A call that is placed in the
 * meantime would be one too many there, so the queue leaves a channel alone for so long. */
export const restMilliseconds = 100

const isFull = (trunkId: string | null) => sql`EXISTS (
      SELECT 1 FROM sip_trunks t WHERE t.id = ${trunkId}::uuid AND t.max_channels <= (
        SELECT count(*) FROM phone_calls
        WHERE sip_trunk_id = t.id AND status IN ('initiated', 'ringing', 'in-progress')) + (
        SELECT count(*) FROM phone_calls WHERE sip_trunk_id = t.id AND ended_at IS NOT NULL
          AND updated_at > now() - ${restMilliseconds}::integer * interval '1 millisecond'))`

/** Whether a call of a trunk waits and seems to find a channel: worth a look, which only taking it can prove. */
export async function canTake(db: Db, trunkId: string | null): Promise<boolean> {
  const [found] = await rows<{ worth: boolean }>(
    db,
    sql`SELECT EXISTS (SELECT 1 FROM phone_calls WHERE status = 'queued' AND ${inQueueOf(trunkId)}) AND NOT ${isFull(trunkId)} AS worth`,
  )
  return found?.worth ?? false
}

// A process whose machine vanishes in between leaves PostgreSQL a connection that looks alive for hours, and with it the
// lock of a trunk's queue.
const lostMilliseconds = '10000'

/** Takes the oldest queued call of a trunk, and with it one of the trunk's channels, in the statement that makes it live:
 * null when there is none to take. While another process is placing a call of the trunk none is taken, so that they are
 * placed in the order in which they came, whatever the number of processes. */
export async function takeNext(
  db: Db,
  trunkId: string | null,
  switchName: string,
): Promise<TakenCall | null> {
  return db.transaction(async (tx) => {
    const [lock] = await rows<{ free: boolean }>(
      tx,
      sql`SELECT pg_try_advisory_xact_lock(hashtextextended(${`queue of ${trunkId}`}, 0)) AS free,
        set_config('idle_in_transaction_session_timeout', ${lostMilliseconds}, true)`,
    )
    if (lock?.free !== true) return null
    const [taken] = await rows<TakenRow>(
      tx,
      sql`UPDATE phone_calls SET status = 'initiated', switch_name = ${switchName}, started_at = coalesce(started_at, now()), due_at = NULL,
          placing_until = now() + ${placingSeconds}::integer * interval '1 second', updated_at = now()
        WHERE id = (SELECT id FROM (SELECT id, due_at FROM phone_calls WHERE status = 'queued' AND ${inQueueOf(trunkId)}
            ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED) oldest WHERE due_at IS NULL OR due_at <= now())
          AND NOT EXISTS (SELECT 1 FROM phone_calls WHERE status IN ('initiated', 'ringing', 'in-progress')
            AND sip_trunk_id = ${trunkId}::uuid
            AND placing_until > now() - ${unclearSeconds - placingSeconds}::integer * interval '1 second')
          AND NOT ${isFull(trunkId)} AND trunk_has_channel(${trunkId}::uuid)
        RETURNING ${takenColumns}`,
    )
    return taken === undefined ? null : toTaken(taken)
  })
}

/** Takes a call over whose placing has not become clear in time: the process that took it has died, or lost its switch.
 * Only of switches that this process can ask. */
export async function takeUnclear(
  db: Db,
  switchNames: readonly string[],
): Promise<(TakenCall & { switchName: string }) | null> {
  const [taken] = await rows<TakenRow & { switch_name: string }>(
    db,
    sql`UPDATE phone_calls SET placing_until = now() + ${placingSeconds}::integer * interval '1 second', updated_at = now()
      WHERE id = (SELECT id FROM phone_calls WHERE placing_until < now() AND status = 'initiated'
          AND switch_name = ANY(ARRAY(SELECT jsonb_array_elements_text(${JSON.stringify(switchNames)}::jsonb)))
          ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING ${takenColumns}, switch_name`,
  )
  return taken === undefined ? null : { ...toTaken(taken), switchName: taken.switch_name }
}

type TakenRow = {
  id: string
  carrier_id: string
  account_id: string
  sip_trunk_id: string | null
  channel_uuid: string
  from_number: string
  to_number: string
  instructions: Instructions
  allowed: boolean
}

const takenColumns = sql`id, carrier_id, account_id, sip_trunk_id, channel_uuid, from_number, to_number, instructions,
  EXISTS (SELECT 1 FROM accounts a JOIN incoming_phone_numbers n ON n.account_id = a.id
    WHERE a.id = phone_calls.account_id AND a.status = 'enabled'
      AND n.id = phone_calls.incoming_phone_number_id AND n.status = 'active') AS allowed`

const toTaken = (row: TakenRow): TakenCall => ({
  id: row.id,
  carrierId: row.carrier_id,
  accountId: row.account_id,
  sipTrunkId: row.sip_trunk_id,
  channelUuid: row.channel_uuid,
  from: row.from_number,
  to: row.to_number,
  instructions: row.instructions,
  allowed: row.allowed,
})

/** Gives a taken call, and its channel, back: nothing was sent to a switch. It is the next of its trunk again. */
export async function giveBack(db: Db, callId: string, seconds: number): Promise<void> {
  await db.execute(sql`UPDATE phone_calls SET status = 'queued', placing_until = NULL, switch_name = NULL, started_at = NULL,
      due_at = now() + ${seconds}::integer * interval '1 second', updated_at = now()
    WHERE id = ${callId}::uuid AND status = 'initiated' AND placing_until IS NOT NULL`)
}
