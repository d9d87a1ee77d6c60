import { type SQL, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import type { CallDirection, Instructions } from './call.ts'
import { wakeCallWork } from './due-queries.ts'

/** A call with something that its switch is still to be told. */
export type WishedCall = {
  id: string
  channelUuid: string
  direction: CallDirection
  switchName: string
  answered: boolean
  /** It has been placed so lately that its channel may not be there yet. */
  young: boolean
  wish: NonNullable<Instructions['wish']> | 'end in time'
  /** When it is to end in time: how many seconds after its answer, and how soon that is. */
  newLimitSeconds: number | null
  secondsLeft: number | null
}

// Longer than a switch may take to answer; then another process tries.
const wishSeconds = 10

/** Takes a call whose wish is due, of the switches that this process reaches; null when there is none. One that is just
 * being placed waits until its switch has it. */
export async function takeWish(db: Db, switchNames: readonly string[]): Promise<WishedCall | null> {
  const [taken] = await rows<WishRow>(
    db,
    sql`UPDATE phone_calls SET due_at = now() + ${wishSeconds}::integer * interval '1 second'
      WHERE id = (SELECT id FROM phone_calls WHERE due_at <= now() AND status IN ('initiated', 'ringing', 'in-progress')
          AND instructions ?| ARRAY['wish', 'newLimitSeconds'] AND placing_until IS NULL
          AND switch_name = ANY(ARRAY(SELECT jsonb_array_elements_text(${JSON.stringify(switchNames)}::jsonb)))
        ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING id, channel_uuid, direction, switch_name, answered_at IS NOT NULL AS answered,
        started_at > now() - interval '3 seconds' AS young, coalesce(instructions->>'wish', 'end in time') AS wish,
        (instructions->>'newLimitSeconds')::integer AS limit_seconds,
        ceil((instructions->>'newLimitSeconds')::integer - extract(epoch FROM now() - answered_at))::integer AS seconds_left`,
  )
  if (taken === undefined) return null
  const { channel_uuid, switch_name, limit_seconds, seconds_left, ...call } = taken
  return {
    ...{ ...call, channelUuid: channel_uuid, switchName: switch_name },
    ...{ newLimitSeconds: limit_seconds, secondsLeft: seconds_left },
  }
}

type WishRow = Pick<WishedCall, 'id' | 'direction' | 'answered' | 'young' | 'wish'> & {
  channel_uuid: string
  switch_name: string
  limit_seconds: number | null
  seconds_left: number | null
}

/** Stores what the API wants of a call, and wakes whoever reaches its switch. */
export async function putWish(
  tx: Db,
  callId: string,
  wanted: Pick<Instructions, 'wish' | 'newLimitSeconds'>,
): Promise<void> {
  await tx.execute(sql`UPDATE phone_calls SET instructions = instructions || ${JSON.stringify(wanted)}::jsonb,
      due_at = now(), updated_at = now() WHERE id = ${callId}::uuid`)
  await wakeCallWork(tx, 'wish')
}

/** Forgets a wish that was fulfilled, unless there is another by now. */
export const dropWish = (db: Db, call: Wish): Promise<void> => change(db, call, without(call.wish))

/** Forgets that a call is to come back, since it has: for that step, or an older one. A leg has left its Dial by that. */
export async function dropReturn(db: Db, { id, step }: { id: string; step: number }): Promise<void> {
  const left = sql`CASE WHEN direction = 'outbound-dial' THEN '{"leftDial": true}'::jsonb ELSE '{}' END`
  await db.execute(sql`UPDATE phone_calls SET ${without('come back', left)}
    WHERE id = ${id}::uuid AND instructions->>'wish' = 'come back' AND step <= ${step}`)
}

// What else is wanted of the call is due then.
function without(wish: WishedCall['wish'], and = sql`'{}'::jsonb`): SQL {
  const left = sql`instructions - ${wish === 'end in time' ? 'newLimitSeconds' : 'wish'}::text`
  return sql`instructions = ${left} || ${and},
    due_at = CASE WHEN (${left}) ?| ARRAY['wish', 'newLimitSeconds'] THEN now() END`
}

/** Makes a wish due again in so many milliseconds. */
export const postponeWish = (db: Db, call: Wish, milliseconds: number): Promise<void> =>
  change(db, call, sql`due_at = now() + ${milliseconds}::integer * interval '1 millisecond'`)

type Wish = Pick<WishedCall, 'id' | 'wish' | 'newLimitSeconds'>

async function change(db: Db, { id, wish, newLimitSeconds }: Wish, set: SQL): Promise<void> {
  const unchanged =
    wish === 'end in time'
      ? sql`instructions->>'newLimitSeconds' = ${String(newLimitSeconds)}::text`
      : sql`instructions->>'wish' = ${wish}::text`
  await db.execute(sql`UPDATE phone_calls SET ${set} WHERE id = ${id}::uuid AND ${unchanged}`)
}
