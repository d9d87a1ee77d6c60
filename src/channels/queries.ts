import { sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { isUuid } from '../sid.ts'

// A call that began so lately may not have its channel yet; its end may be on its way by event and CDR.
const youngSeconds = 15

/** The channels that are to be on a switch: those of its live calls, but for the youngest, and for legs of a Dial that have
 * not begun: one that rings others in turn may come to them later. They end with their Dial. */
export async function expectedChannels(db: Db, switchName: string): Promise<string[]> {
  const expected = await rows<{ channel_uuid: string }>(
    db,
    sql`SELECT channel_uuid FROM phone_calls
      WHERE switch_name = ${switchName} AND status IN ('initiated', 'ringing', 'in-progress') AND placing_until IS NULL
        AND started_at < now() - ${youngSeconds}::integer * interval '1 second'
        AND NOT (direction = 'outbound-dial' AND status = 'initiated')`,
  )
  return expected.map(({ channel_uuid }) => channel_uuid)
}

/** Those of some channels that no call has. */
export async function channelsOfNobody(db: Db, channelUuids: readonly string[]): Promise<string[]> {
  const known = channelUuids.filter(isUuid)
  if (known.length === 0) return []
  const found = await rows<{ uuid: string }>(
    db,
    sql`SELECT uuid FROM jsonb_array_elements_text(${JSON.stringify(known)}::jsonb) AS live(uuid)
      WHERE NOT EXISTS (SELECT 1 FROM phone_calls c WHERE c.channel_uuid = live.uuid::uuid)`,
  )
  return found.map(({ uuid }) => uuid)
}

/** A live call on a switch that has not been seen, and when it ended if it ended when the switch was last seen. */
export type CallOfTheGone = { channelUuid: string; switchName: string; at: Date }

const goneSeconds = 300
const mostAtOnce = 500

/** The live calls on switches that nobody has seen for five minutes; one that has been given another name since is not to
 * be seen again under its former one. A switch that only its event socket does not reach still asks what to do with calls:
 * one that has just come shows it. */
export async function callsOfTheGone(db: Db): Promise<CallOfTheGone[]> {
  const ago = sql`now() - ${goneSeconds}::integer * interval '1 second'`
  const found = await rows<{ channel_uuid: string; switch_name: string; ended: number }>(
    db,
    sql`
    WITH seen AS (
      SELECT name, max(at) AS at
      FROM (SELECT name, seen_at AS at FROM switches UNION ALL SELECT former_name, since FROM switches) known
      WHERE name IS NOT NULL GROUP BY name HAVING max(at) < ${ago}
    ),
    live AS (
      SELECT c.channel_uuid, c.switch_name, greatest(seen.at, c.started_at, c.ringing_at, c.answered_at) AS ended,
        max(c.started_at) OVER (PARTITION BY c.switch_name) AS newest
      FROM seen JOIN phone_calls c ON c.switch_name = seen.name
      WHERE c.status IN ('initiated', 'ringing', 'in-progress') AND c.channel_uuid IS NOT NULL
    )
    SELECT channel_uuid, switch_name, (extract(epoch FROM ended) * 1000)::float8 AS ended
    FROM live WHERE newest < ${ago} LIMIT ${mostAtOnce}`,
  )
  return found.map(({ channel_uuid, switch_name, ended }) => ({
    channelUuid: channel_uuid,
    switchName: switch_name,
    at: new Date(ended),
  }))
}

// No call lasts longer (Twilio's timeLimit).
const longestHours = 24

/** Channels of live calls that are older than any call can be, whose switch has not been heard of for an hour. */
export async function abandonedChannels(db: Db): Promise<string[]> {
  const abandoned = await rows<{ channel_uuid: string }>(
    db,
    sql`SELECT channel_uuid FROM phone_calls c
      WHERE status IN ('initiated', 'ringing', 'in-progress') AND channel_uuid IS NOT NULL
        AND started_at < now() - ${longestHours + 1}::integer * interval '1 hour'
        AND NOT EXISTS (SELECT 1 FROM switches s WHERE s.name = c.switch_name AND s.seen_at > now() - interval '1 hour')
      LIMIT 100`,
  )
  return abandoned.map(({ channel_uuid }) => channel_uuid)
}

/** Calls that have been in the queue for as long as Twilio lets them (24 hours). */
export const staleQueuedCalls = (db: Db): Promise<{ id: string }[]> =>
  rows(
    db,
    sql`SELECT id FROM phone_calls WHERE status = 'queued'
      AND created_at < now() - ${longestHours}::integer * interval '1 hour' LIMIT 100`,
  )
