import { type SQL, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import type { Trunk } from '../trunks/trunk.ts'
import { isHeld } from './hold.ts'

/** A switch that is up: its id in the tables, and the name that its fetches carry as `hostname`. */
export type FoundSwitch = { id: string; name: string }

/** The switch that an outbound call of a trunk is placed on: the one that holds its gateway, or its client's newest
 * registration where the call goes to that; else any of its region. Null when that one is not up, or the gateway is just
 * being started, changed or moved. */
export function switchForTrunk(
  db: Db,
  trunk: Pick<Trunk, 'id' | 'region' | 'authenticationMode' | 'outboundHost'>,
): Promise<FoundSwitch | null> {
  if (trunk.authenticationMode === 'outbound_registration') return switchOfGateway(db, trunk.id)
  if (trunk.authenticationMode === 'client_credentials' && trunk.outboundHost === null)
    return switchOfRegistration(db, trunk.id)
  return anySwitchOf(db, trunk.region)
}

// A change takes two or three seconds, in which FreeSWITCH fails every call through the gateway.
const changeSeconds = 8

const switchOfGateway = (db: Db, trunkId: string): Promise<FoundSwitch | null> =>
  find(
    db,
    sql`s.id = (
      SELECT g.switch_id FROM gateway_states g JOIN sip_trunks t ON t.id = g.trunk_id WHERE t.id = ${trunkId}::uuid
        AND NOT ((g.state NOT IN ('registered', 'failed') OR g.running_version IS DISTINCT FROM t.version)
          AND greatest(g.since, t.updated_at) > now() - ${changeSeconds}::integer * interval '1 second'))`,
  )

const switchOfRegistration = (db: Db, trunkId: string): Promise<FoundSwitch | null> =>
  find(
    db,
    sql`s.id = (SELECT r.switch_id FROM registrations r WHERE r.trunk_id = ${trunkId}::uuid AND r.expires_at > now()
      ORDER BY r.updated_at DESC LIMIT 1)`,
  )

/** One of a region's switches that are up, each as often as the others. */
export const anySwitchOf = (db: Db, region: string): Promise<FoundSwitch | null> =>
  find(db, sql`s.region = ${region}`)

async function find(db: Db, which: SQL): Promise<FoundSwitch | null> {
  const [found] = await rows<FoundSwitch>(
    db,
    sql`SELECT s.id, s.name FROM switches s
      WHERE ${which} AND s.name IS NOT NULL AND ${isHeld(sql`s`)} ORDER BY random() LIMIT 1`,
  )
  return found ?? null
}
