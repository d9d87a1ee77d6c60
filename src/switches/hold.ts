import { type SQL, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import type { Region } from '../regions.ts'

/** A switch of REGIONS_FILE: `host:port` of its event socket, and the alias of its region. */
export type SwitchOfRegion = { id: string; region: string }

// One process watches a switch at a time. A row that must be renewed, not an advisory lock: it also ends when the
// holder's machine vanishes without a word (a lock would last as long as TCP does), survives any connection pool, and
// works the same on the embedded database, where all share one session.
const holdSeconds = 6

/** After how many seconds without a sign of life a switch's gateways move to others. */
export const goneSeconds = 30

/** SQL: whether a row of `switches` (under this name) has been seen alive lately enough to run gateways. */
export const isAlive = (name: SQL): SQL =>
  sql`${name}.seen_at > now() - ${goneSeconds}::integer * interval '1 second'`

/** SQL: whether some process watches a row of `switches`, which is what its being up means to all processes. */
export const isHeld = (name: SQL): SQL =>
  sql`${name}.holder IS NOT NULL AND ${name}.seen_at > now() - ${holdSeconds}::integer * interval '1 second'`

/** The switches of all regions, in order. */
export const switchesOf = (regions: readonly Region[]): SwitchOfRegion[] =>
  regions.flatMap(({ alias, switches }) =>
    switches.map(({ host, port }) => ({ id: `${host}:${port}`, region: alias })),
  )

/** Makes the switches known to the tables; what is known stays as it is. */
export async function announceSwitches(db: Db, switches: readonly SwitchOfRegion[]): Promise<void> {
  for (const { id, region } of switches)
    await db.execute(sql`INSERT INTO switches AS s (id, region, state) VALUES (${id}, ${region}, 'down')
      ON CONFLICT (id) DO UPDATE SET region = excluded.region, updated_at = now() WHERE s.region <> excluded.region`)
}

/** Takes or renews the hold of a switch whose own name is `name`, for the process `holder`; false when another has it. */
export async function takeHold(db: Db, switchId: string, holder: string, name: string): Promise<boolean> {
  const taken = await rows(
    db,
    sql`UPDATE switches s SET holder = ${holder}::uuid, name = ${name}, seen_at = now(), state = 'up', updated_at = now(),
      since = CASE WHEN s.state = 'up' AND s.name = ${name} THEN s.since ELSE now() END,
      former_name = CASE WHEN s.name = ${name} THEN s.former_name ELSE s.name END
    WHERE s.id = ${switchId} AND (s.holder = ${holder}::uuid OR (${isHeld(sql`s`)}) IS NOT TRUE)
    RETURNING s.id`,
  )
  return taken.length > 0
}

/** Gives a hold up, so that another process can take it at once. */
export async function dropHold(db: Db, switchId: string, holder: string): Promise<void> {
  await db.execute(sql`UPDATE switches SET holder = NULL, updated_at = now()
    WHERE id = ${switchId} AND holder = ${holder}::uuid`)
}

/** Marks the switches that nobody has reached for six seconds as down. Gives what all processes know of a region's
 * switches as one text, which differs whenever a gateway may have to move. */
export async function lookAround(db: Db, region: string): Promise<string> {
  await db.execute(sql`UPDATE switches s SET state = 'down', since = now(), holder = NULL, updated_at = now()
    WHERE s.state = 'up' AND (s.seen_at > now() - ${holdSeconds}::integer * interval '1 second') IS NOT TRUE`)
  const alive = await rows<{ id: string }>(
    db,
    sql`SELECT s.id FROM switches s WHERE s.region = ${region} AND ${isAlive(sql`s`)} ORDER BY s.id`,
  )
  return alive.map(({ id }) => id).join(' ')
}

/** Other switches that call themselves by the same name, which makes their fetches indistinguishable. */
export async function namesakes(db: Db, switchId: string, name: string): Promise<string[]> {
  const found = await rows<{ id: string }>(
    db,
    sql`SELECT s.id FROM switches s WHERE s.name = ${name} AND s.id <> ${switchId} AND ${isAlive(sql`s`)}`,
  )
  return found.map(({ id }) => id)
}
