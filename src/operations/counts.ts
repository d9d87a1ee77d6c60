import { sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { isHeld } from '../switches/hold.ts'

/** A number of things of one kind. */
export type Count = { kind: string; count: number }

/** Calls that are not over, by status. */
export const liveCalls = (db: Db): Promise<Count[]> =>
  rows(
    db,
    sql`SELECT status AS kind, count(*)::integer AS count FROM phone_calls
      WHERE status IN ('queued', 'initiated', 'ringing', 'in-progress') GROUP BY status`,
  )

/** Gateways by state. */
export const gateways = (db: Db): Promise<Count[]> =>
  rows(db, sql`SELECT state AS kind, count(*)::integer AS count FROM gateway_states GROUP BY state`)

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

/** Status callbacks that wait to be delivered. */
export const waitingCallbacks = (db: Db): Promise<Backlog> =>
  backlog(
    db,
    sql`SELECT count(*)::integer AS waiting, greatest(coalesce(extract(epoch FROM now() - min(due_at)), 0), 0)::float8 AS seconds
      FROM status_callbacks`,
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

/** Every switch that was ever looked for. */
export async function knownSwitches(db: Db): Promise<KnownSwitch[]> {
  const found = await rows<Omit<KnownSwitch, 'sinceSeconds'> & { since_seconds: number }>(
    db,
    sql`SELECT s.id, s.region, s.name, (${isHeld(sql`s`)}) IS TRUE AS watched,
      extract(epoch FROM now() - s.since)::float8 AS since_seconds FROM switches s ORDER BY s.region, s.id`,
  )
  return found.map(({ since_seconds, ...known }) => ({ ...known, sinceSeconds: since_seconds }))
}
