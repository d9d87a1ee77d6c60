import { setImmediate as immediately } from 'node:timers/promises'
import { and, eq, gt, lte, type SQL, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { gatewayStates, sipTrunks } from '../db/schema.ts'
import type { Trunk } from '../trunks/trunk.ts'
import type { Asking } from './asking.ts'
import { isAlive, type SwitchOfRegion } from './hold.ts'

// Which switch runs a gateway: of the region's switches that are alive the one with the highest hash of trunk and switch
// (rendezvous hashing: when one goes, only its own gateways move, and they move back when it returns). The row in
// gateway_states is the right to run it: a switch that is to have a gateway waits until the one that has it let go.

// The switch itself counts as alive: it is asking or being asked.
const aliveBeside = (self: string): SQL => sql`(${isAlive(sql`s`)} OR s.id = ${self})`

const ownerBeside = (self: string): SQL => sql`(
  SELECT s.id FROM switches s WHERE s.region = t.region AND ${aliveBeside(self)}
  ORDER BY md5(t.id::text || s.id) DESC LIMIT 1)`

const wishedAt = ({ id, region }: SwitchOfRegion): SQL =>
  sql`t.authentication_mode = 'outbound_registration' AND t.region = ${region} AND ${ownerBeside(id)} = ${id}`

// After a time in which no server ran or the database was away, no switch has been seen lately. Those that are reached
// again a moment later still run what they ran.
/** Whether the gateways of a switch that has not been seen alive lately may be taken from it: only by who has looked
 * for it all that time. */
export type TakeOver = 'from the gone' | 'from nobody'

/** Takes the right to run a trunk's gateway, if the switch is to run it and no living one has it. */
export async function claimGateway(
  db: Db,
  self: SwitchOfRegion,
  trunkId: string,
  takeOver: TakeOver,
): Promise<void> {
  await claim(
    db,
    self,
    takeOver,
    sql`SELECT t.id, t.authentication_mode, t.region FROM sip_trunks t WHERE t.id = ${trunkId}::uuid`,
  )
}

/** The ids of trunks after `afterId` up to and with `upToId`. */
export type IdRange = { afterId: string; upToId: string }

/** Takes the right to run every gateway that the switch is to run and no living one has, `size` trunks at a time, so that
 * tens of thousands hold nothing up; gives each range of ids when it is done. */
export async function* claimGateways(
  db: Db,
  self: SwitchOfRegion,
  size: number,
  takeOver: TakeOver,
): AsyncIterable<IdRange> {
  let afterId = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const { lastId, count } = await claim(
      db,
      self,
      takeOver,
      sql`SELECT t.id, t.authentication_mode, t.region FROM sip_trunks t
        WHERE t.region = ${self.region} AND t.authentication_mode = 'outbound_registration' AND t.id > ${afterId}::uuid
        ORDER BY t.id LIMIT ${size}::integer`,
    )
    if (lastId !== null) yield { afterId, upToId: lastId }
    // The embedded database answers without ever letting anything else run.
    await immediately()
    if (lastId === null || count < size) return
    afterId = lastId
  }
}

async function claim(
  db: Db,
  self: SwitchOfRegion,
  takeOver: TakeOver,
  trunks: SQL,
): Promise<{ lastId: string | null; count: number }> {
  const alive = takeOver === 'from the gone' ? aliveBeside(self.id) : sql`true`
  const held = sql`SELECT 1 FROM switches s WHERE s.id = g.switch_id AND ${alive}`
  const [looked] = await rows<{ last_id: string | null; count: number }>(
    db,
    sql`
    WITH t AS (${trunks}),
    claimed AS (
      INSERT INTO gateway_states AS g (trunk_id, switch_id, state)
      SELECT t.id, ${self.id}, 'starting' FROM t
      WHERE ${wishedAt(self)}
        AND NOT EXISTS (SELECT 1 FROM gateway_states g WHERE g.trunk_id = t.id AND EXISTS (${held}))
      ON CONFLICT (trunk_id) DO UPDATE SET switch_id = excluded.switch_id, state = excluded.state, sip_code = NULL,
        reason = NULL, running_version = NULL, network_ip = NULL, expires_at = NULL, next_try_at = NULL, since = now(), updated_at = now()
      WHERE NOT EXISTS (${held})
    )
    SELECT (array_agg(t.id ORDER BY t.id DESC))[1]::text AS last_id, count(*)::integer AS count FROM t`,
  )
  return { lastId: looked?.last_id ?? null, count: looked?.count ?? 0 }
}

/** The version of a trunk's gateway that the switch is to run; null when it is to run none. */
export async function wishedVersion(db: Db, self: SwitchOfRegion, trunkId: string): Promise<number | null> {
  const [wished] = await rows<{ version: number }>(
    db,
    sql`SELECT t.version FROM sip_trunks t JOIN gateway_states g ON g.trunk_id = t.id AND g.switch_id = ${self.id}
      WHERE t.id = ${trunkId}::uuid AND ${wishedAt(self)}`,
  )
  return wished?.version ?? null
}

/** The gateways of a range of ids that the switch is to run, with their versions. */
export async function wishedVersions(
  db: Db,
  self: SwitchOfRegion,
  { afterId, upToId }: IdRange,
): Promise<Map<string, number>> {
  const wished = await rows<{ id: string; version: number }>(
    db,
    sql`SELECT t.id, t.version FROM sip_trunks t JOIN gateway_states g ON g.trunk_id = t.id AND g.switch_id = ${self.id}
      WHERE t.id > ${afterId}::uuid AND t.id <= ${upToId}::uuid AND ${wishedAt(self)}`,
  )
  return new Map(wished.map(({ id, version }) => [id, version]))
}

/** The trunks whose gateways the switch has the right to run and is not to run: it is to let go of them, also of those that
 * it does not run any more. Whoever is to have them waits for that. */
export async function unwishedGateways(db: Db, self: SwitchOfRegion): Promise<string[]> {
  // LIMIT keeps a planner that knows nothing of the tables from comparing each row with every trunk.
  const unwished = await rows<{ trunk_id: string }>(
    db,
    sql`SELECT g.trunk_id FROM gateway_states g
      CROSS JOIN LATERAL (SELECT * FROM sip_trunks WHERE id = g.trunk_id LIMIT 1) t
      WHERE g.switch_id = ${self.id} AND (${wishedAt(self)}) IS NOT TRUE`,
  )
  return unwished.map(({ trunk_id }) => trunk_id)
}

/** Gives up the right to run a gateway, once it runs no more, and tells whoever is to have it. */
export async function releaseGateway(db: Db, self: SwitchOfRegion, trunkId: string): Promise<void> {
  await db.execute(sql`
    WITH released AS (
      DELETE FROM gateway_states WHERE trunk_id = ${trunkId}::uuid AND switch_id = ${self.id} RETURNING trunk_id
    )
    SELECT pg_notify('trunk_changed', trunk_id::text) FROM released`)
}

/** What a gateway is made of. */
export type GatewayTrunk = Pick<
  Trunk,
  'id' | 'username' | 'authUser' | 'outboundHost' | 'outboundProxy' | 'passwordEncrypted' | 'version'
>

const { id, username, authUser, outboundHost, outboundProxy, passwordEncrypted, version } = sipTrunks
const gatewayColumns = { id, username, authUser, outboundHost, outboundProxy, passwordEncrypted, version }

/** The trunks of a range of ids whose gateways a switch has the right to run. */
export const gatewayTrunksOf = (
  db: Db,
  self: SwitchOfRegion,
  { afterId, upToId }: IdRange,
): Promise<GatewayTrunk[]> =>
  db
    .select(gatewayColumns)
    .from(sipTrunks)
    .innerJoin(gatewayStates, eq(gatewayStates.trunkId, sipTrunks.id))
    .where(
      and(
        eq(gatewayStates.switchId, self.id),
        registersIn(self.region),
        gt(sipTrunks.id, afterId),
        lte(sipTrunks.id, upToId),
      ),
    )

/** The trunk whose gateway a switch of its region asks for, unless another living switch has the right to run it. */
export async function gatewayTrunkFor(db: Db, asking: Asking, trunkId: string): Promise<GatewayTrunk | null> {
  const elsewhere = sql`SELECT 1 FROM gateway_states g JOIN switches s ON s.id = g.switch_id AND ${isAlive(sql`s`)}
    WHERE g.trunk_id = ${sipTrunks.id} AND s.id <> ${asking.id ?? ''}`
  const [trunk] = await db
    .select(gatewayColumns)
    .from(sipTrunks)
    .where(
      and(
        eq(sipTrunks.id, trunkId),
        registersIn(asking.region),
        asking.id === null ? undefined : sql`NOT EXISTS (${elsewhere})`,
      ),
    )
  return trunk ?? null
}

const registersIn = (region: string) =>
  and(eq(sipTrunks.authenticationMode, 'outbound_registration'), eq(sipTrunks.region, region))
