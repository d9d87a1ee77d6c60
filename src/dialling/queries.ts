import { and, desc, eq, gt, sql } from 'drizzle-orm'
import type { Instructions, RunningCall } from '../calls/call.ts'
import type { UnansweredLeg } from '../calls/progress-queries.ts'
import { type Db, preparedRows, rows } from '../db/connect.ts'
import { registrations } from '../db/schema.ts'
import type { Trunk } from '../trunks/trunk.ts'
import type { StatusCallback } from '../webhooks/webhook.ts'

/** What a Dial needs of its account: its dedicated trunk, whether it has failover, and whether a number is an active one of
 * its own. */
export type AccountOfLeg = { sipTrunkId: string | null; failover: boolean; owned: boolean }

/** The account of a Dial that shows a number. */
export async function accountOfLeg(db: Db, accountId: string, number: string): Promise<AccountOfLeg> {
  const [account] = await rows<AccountOfLeg>(
    db,
    sql`SELECT a.sip_trunk_id AS "sipTrunkId", a.failover, EXISTS (
        SELECT 1 FROM incoming_phone_numbers n
        WHERE n.carrier_id = a.carrier_id AND n.number_tail = right(${number}::text, 6) AND n.status = 'active'
          AND n.number = ${number}::text AND n.account_id = a.id
      ) AS owned
      FROM accounts a WHERE a.id = ${accountId}::uuid`,
  )
  return account ?? { sipTrunkId: null, failover: false, owned: false }
}

/** A leg as it is stored. `usable`: there is a way to ring it. */
export type NewLeg = {
  id: string
  parent: RunningCall
  sipTrunkId: string | null
  from: string
  to: string
  channelUuid: string
  routeSteps: unknown[]
  callback: StatusCallback | null
  instructions: Instructions
  usable: boolean
}

/** Stores a leg and takes one of its trunk's channels; false when there is none or no way to ring it. Its beginning, and
 * the end of one that cannot be rung, are still to be told (begin-leg.ts). */
export async function insertLeg(db: Db, leg: NewLeg): Promise<boolean> {
  const { parent, callback } = leg
  const [stored] = await preparedRows<{ status: string }>(
    db,
    'insert_leg',
    sql`
    WITH way AS (SELECT ${leg.usable}::boolean AND trunk_has_channel(${leg.sipTrunkId}::uuid) AS open)
    INSERT INTO phone_calls (id, carrier_id, account_id, sip_trunk_id, parent_call_id, direction, status, from_number,
      to_number, channel_uuid, switch_name, instructions, route_steps, status_callback_url, status_callback_method,
      status_callback_events, started_at, placing_until)
    SELECT ${leg.id}::uuid, ${parent.carrierId}::uuid, ${parent.accountId}::uuid, ${leg.sipTrunkId}::uuid, ${parent.id}::uuid,
      'outbound-dial', CASE WHEN open THEN 'initiated' ELSE 'queued' END, ${leg.from}, ${leg.to}, ${leg.channelUuid}::uuid,
      p.switch_name, ${JSON.stringify(leg.instructions)}::jsonb, ${JSON.stringify(leg.routeSteps)}::jsonb,
      ${callback?.url ?? null}::text, ${callback?.method ?? null}::text,
      CASE WHEN ${callback !== null}::boolean THEN string_to_array(${callback?.events.join(',') ?? ''}, ',') END,
      now(), CASE WHEN ${callback !== null}::boolean AND open THEN now() END
    FROM way, phone_calls p WHERE p.id = ${parent.id}::uuid
    RETURNING status`,
  )
  return stored?.status === 'initiated'
}

/** Where a trunk that is dialled at the contact of its client can be reached: `host:port` of the newest registration, with
 * `;transport=tcp` where it registered so. Null when nobody is registered, and for a trunk that has another way. */
export async function contactOf(
  db: Db,
  { id, authenticationMode, outboundHost }: Pick<Trunk, 'id' | 'authenticationMode' | 'outboundHost'>,
): Promise<string | null> {
  if (authenticationMode !== 'client_credentials' || outboundHost !== null) return null
  const [found] = await db
    .select({ contact: registrations.contact, ip: registrations.networkIp, port: registrations.networkPort })
    .from(registrations)
    .where(and(eq(registrations.trunkId, id), gt(registrations.expiresAt, new Date())))
    .orderBy(desc(registrations.updatedAt))
    .limit(1)
  if (!found) return null
  const transport = /;transport=tcp/i.test(found.contact) ? ';transport=tcp' : ''
  if (found.ip !== null && found.port !== null)
    return `${found.ip.includes(':') ? `[${found.ip}]` : found.ip}:${found.port}${transport}`
  const named = /@([^;>]+)/.exec(found.contact)?.[1]
  return named === undefined ? null : `${named}${transport}`
}

/** The leg that a Dial joined, by its channel's UUID, and how long it was joined as far as is known by now. */
export async function joinedLeg(
  db: Db,
  parentId: string,
  channelUuid: string | null,
): Promise<{ id: string; seconds: number } | null> {
  const [leg] = await rows<{ id: string; seconds: number }>(
    db,
    sql`SELECT id, coalesce(duration, floor(extract(epoch FROM now() - coalesce(answered_at, now()))))::integer AS seconds
      FROM phone_calls WHERE parent_call_id = ${parentId}::uuid AND channel_uuid = ${channelUuid}::uuid`,
  )
  return leg ?? null
}

/** A leg of a Dial, and whether its end is known. */
export type LegOfDial = { id: string; channelUuid: string; over: boolean }

/** The legs of a call's Dial (`at`: `<step>.<index>` of the verb), in the order in which they were dialled. */
export const legsOfDial = (db: Db, parentId: string, at: string): Promise<LegOfDial[]> =>
  rows(
    db,
    sql`SELECT id, channel_uuid AS "channelUuid", ended_at IS NOT NULL AS over FROM phone_calls
      WHERE parent_call_id = ${parentId}::uuid AND instructions->>'dial' = ${at} ORDER BY seq`,
  )

/** Notes on the legs of a call that were neither answered nor ended, but for the one that was joined, that their Dial is
 * over, and how: they end so unless their channels say otherwise. */
export const noteDialOver = (
  db: Db,
  parentId: string,
  cause: string,
  joinedUuid: string | null,
): Promise<UnansweredLeg[]> =>
  rows(
    db,
    sql`UPDATE phone_calls SET instructions = instructions || ${JSON.stringify({ endsAs: cause })}::jsonb
      WHERE parent_call_id = ${parentId}::uuid AND ended_at IS NULL AND answered_at IS NULL
        AND channel_uuid IS DISTINCT FROM ${joinedUuid}::uuid AND NOT instructions ? 'endsAs'
      RETURNING id, instructions->>'endsAs' AS "endsAs"`,
  )

/** A leg as far as it tells whether its Dial may be tried on other trunks. */
export type TriedLeg = {
  to: string
  sipTrunkId: string | null
  /** Whether it rang, at least. */
  rang: boolean
  cause: string | null
  sipStatus: number | null
}

/** The legs of a call's Dial (`at`: `<step>.<index>` of the verb), in the order in which they were dialled, where its account
 * has failover; and its dedicated trunk. */
export async function triedLegs(
  db: Db,
  parentId: string,
  at: string,
): Promise<{ legs: TriedLeg[]; dedicatedTrunkId: string | null }> {
  const found = await rows<TriedLeg & { dedicatedTrunkId: string | null }>(
    db,
    sql`SELECT p.to_number AS "to", p.sip_trunk_id AS "sipTrunkId", p.hangup_cause AS cause, p.sip_response_code AS "sipStatus",
        coalesce(p.ringing_at, p.answered_at) IS NOT NULL AS rang, a.sip_trunk_id AS "dedicatedTrunkId"
      FROM phone_calls p JOIN accounts a ON a.id = p.account_id AND a.failover
      WHERE p.parent_call_id = ${parentId}::uuid AND p.instructions->>'dial' = ${at} ORDER BY p.seq`,
  )
  return { legs: found, dedicatedTrunkId: found[0]?.dedicatedTrunkId ?? null }
}
