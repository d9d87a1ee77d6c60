import { sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import type { Region } from '../regions.ts'
import { isHeld, switchesOf } from '../switches/hold.ts'

/** A number of things of one kind. */
export type Count = { kind: string; count: number }

/** Calls that are not over, by status. */
export const liveCalls = (db: Db): Promise<Count[]> =>
  rows(
    db,
    // Two partial indexes: a single condition on all four would have every call that ever was read.
    sql`SELECT status AS kind, count(*)::integer AS count FROM phone_calls
        WHERE status IN ('initiated', 'ringing', 'in-progress') GROUP BY status
      UNION ALL SELECT 'queued', count(*)::integer FROM phone_calls WHERE status = 'queued'`,
  )

/** Gateways by state: `unknown` while the switch that had it is not reached, `no_switch` while none has it. */
export const gateways = (db: Db): Promise<Count[]> =>
  rows(
    db,
    sql`SELECT CASE WHEN g.trunk_id IS NULL THEN 'no_switch' WHEN (${isHeld(sql`s`)}) IS TRUE THEN g.state
        ELSE 'unknown' END AS kind, count(*)::integer AS count
      FROM sip_trunks t LEFT JOIN gateway_states g ON g.trunk_id = t.id LEFT JOIN switches s ON s.id = g.switch_id
      WHERE t.authentication_mode = 'outbound_registration' GROUP BY 1`,
  )

/** Contacts of clients that are registered. */
export async function clientContacts(db: Db): Promise<number> {
  const [counted] = await rows<{ count: number }>(
    db,
    sql`SELECT count(*)::integer AS count FROM registrations WHERE expires_at > now()`,
  )
  return counted?.count ?? 0
}

/** What waits: how many, and how many seconds the oldest has been due. */
export type Backlog = { waiting: number; oldestSeconds: number }

/** Calls of the API that wait to be placed. */
export const queuedCalls = (db: Db): Promise<Backlog> =>
  backlog(
    db,
    sql`SELECT count(*)::integer AS waiting, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS seconds
      FROM phone_calls WHERE status = 'queued'`,
  )

/** Status callbacks that wait to be delivered; the oldest of those whose host answers, since for others nothing here is
 * late. */
export const waitingCallbacks = (db: Db): Promise<Backlog> =>
  backlog(
    db,
    sql`SELECT count(*)::integer AS waiting, greatest(coalesce(extract(epoch FROM now() - min(due_at) FILTER (WHERE s.lane IS NULL)), 0), 0)::float8 AS seconds
      FROM status_callbacks c LEFT JOIN callback_lanes s ON s.account_id = c.account_id AND s.lane = c.lane`,
  )

async function backlog(db: Db, query: ReturnType<typeof sql>): Promise<Backlog> {
  const [found] = await rows<{ waiting: number; seconds: number }>(db, query)
  return { waiting: found?.waiting ?? 0, oldestSeconds: found?.seconds ?? 0 }
}

/** A switch as all server processes know it: `watched` by one of them, and since when it is so. */
export type KnownSwitch = {
  id: string
  region: string
  name: string | null
  watched: boolean
  sinceSeconds: number
}

/** The switches of the regions, in their order; one that was taken out of them is missed by nobody. */
export async function knownSwitches(db: Db, regions: readonly Region[]): Promise<KnownSwitch[]> {
  const found = await rows<Omit<KnownSwitch, 'sinceSeconds'> & { since_seconds: number }>(
    db,
    sql`SELECT s.id, s.region, s.name, (${isHeld(sql`s`)}) IS TRUE AS watched,
      extract(epoch FROM now() - s.since)::float8 AS since_seconds FROM switches s`,
  )
  const known = found.map(({ since_seconds, ...known }) => ({ ...known, sinceSeconds: since_seconds }))
  return switchesOf(regions).map(
    ({ id, region }) =>
      known.find((stored) => stored.id === id) ?? { id, region, name: null, watched: false, sinceSeconds: 0 },
  )
}
