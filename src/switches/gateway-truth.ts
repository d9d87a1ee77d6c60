import { type SQL, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import type { GatewayState } from '../event-socket/event.ts'
import { expireSeconds } from '../trunks/gateway.ts'
import type { SwitchOfRegion } from './hold.ts'
import type { IdRange } from './placement.ts'

/** Where the registration of a trunk's gateway stands, in the carrier's words. */
export type RegistrationState = 'starting' | 'registering' | 'registered' | 'failed' | 'unregistering'

/** What one word of a switch means. `accepted`: registered, but calls do not go out through it for a moment yet; `still
 * failed`: it waits to try again, for a reason told before. */
export type Finding =
  | { kind: 'registered'; renewed: boolean }
  | { kind: 'trying' | 'accepted' | 'still failed' | 'unregistering' }
  | { kind: 'failed'; sipCode: number | null; reason: string }

/** Reads a gateway's state, from an event or asked for (without code and phrase), by FreeSWITCH's names of it
 * (sofia_reg.c). A registration that is being renewed is still one: its state goes through TRYING while it stays up. A
 * renewal that fails is told while it is up, and never again: it is taken out of use a second later, without a word why. */
export function readState(told: Pick<GatewayState, 'state' | 'up'> & Partial<GatewayState>): Finding | null {
  const { state, up, sipCode = null, phrase = null } = told
  if (state === 'REGISTER') return up ? { kind: 'registered', renewed: true } : { kind: 'accepted' }
  if (state === 'FAILED' && phrase === 'DNS Error')
    return { kind: 'failed', sipCode: null, reason: unresolved }
  if (state === 'FAILED' && sipCode !== null)
    return { kind: 'failed', sipCode, reason: phrase ?? `SIP status ${sipCode}` }
  if (state === 'TIMEOUT') return { kind: 'failed', sipCode: null, reason: silent }
  if (state === 'FAILED' || state === 'FAIL_WAIT') return { kind: 'still failed' }
  if (up) return state === 'REGED' ? { kind: 'registered', renewed: false } : null
  if (state === 'UNREGISTER' || state === 'DOWN') return { kind: 'unregistering' }
  return { kind: 'trying' }
}

const unresolved = 'The host name of the registrar could not be resolved.'
const silent = 'The registrar did not answer.'
const untold = 'The registration fails; the switch has not told why yet.'

/** A registrar's address may ask for the password only when outbound_host or outbound_proxy stands for it
 * (freeswitch.md 2.5). */
export const strangerAsks = (): Finding => ({ kind: 'failed', sipCode: null, reason: asked })

const asked =
  'Another address than those of outbound_host and outbound_proxy asked for the password, so none was given.'

/** A switch that has the gateway to start and does not. */
export const notTaken = (problem: string): Finding => ({
  kind: 'failed',
  sipCode: null,
  reason: `The switch did not start the gateway: ${problem}`,
})

// What a finding makes of the row. `when`: only then, `old` being the row as it was.
type Change = {
  state: RegistrationState
  sipCode?: number | null
  reason?: string | null
  more: SQL
  when: SQL
}

// While it is tried again after a failure, what is known is the failure. A timeout says less than a stranger's question
// just before it.
function changeFor(finding: Finding): Change {
  const until = sql`now() + ${expireSeconds}::integer * interval '1 second'`
  if (finding.kind === 'accepted')
    return { state: 'registering', more: sql`expires_at = ${until}`, when: sql`true` }
  if (finding.kind === 'registered' && finding.renewed)
    return { state: 'registered', more: sql`next_try_at = NULL, expires_at = ${until}`, when: sql`true` }
  if (finding.kind === 'registered')
    return { state: 'registered', more: sql`next_try_at = NULL`, when: sql`old.state <> 'registered'` }
  const more = sql`expires_at = NULL`
  if (finding.kind === 'failed') {
    const when =
      finding.reason === silent
        ? sql`old.reason IS DISTINCT FROM ${asked} OR old.updated_at < now() - interval '40 seconds'`
        : sql`true`
    return { ...finding, state: 'failed', more, when }
  }
  if (finding.kind === 'still failed')
    return { state: 'failed', reason: untold, more, when: sql`old.state <> 'failed'` }
  if (finding.kind === 'unregistering') return { state: 'unregistering', more, when: sql`true` }
  return { state: 'registering', more, when: sql`old.state NOT IN ('failed', 'registering')` }
}

/** Writes down what a switch that has the right to a gateway says of it, and tells its carrier when it has come to stand
 * otherwise, in one statement. `networkIp`: the address that its registrar answered from, kept until it tells another; a
 * gateway that stops tells only of the past. True when the gateway fails for a reason that nobody has heard yet. */
export async function recordFinding(
  db: Db,
  self: SwitchOfRegion,
  trunkId: string,
  finding: Finding,
  networkIp: string | null = null,
): Promise<boolean> {
  const { state, sipCode = null, reason = null, more, when } = changeFor(finding)
  const answeredFrom = finding.kind === 'unregistering' ? null : networkIp
  const details =
    state === 'failed' ? { region: self.region, sip_code: sipCode, reason } : { region: self.region }
  const changed = await rows<{ reason: string | null }>(
    db,
    sql`
    WITH old AS (
      SELECT *, state IS DISTINCT FROM ${state}::text OR sip_code IS DISTINCT FROM ${sipCode}::integer AS differs
      FROM gateway_states WHERE trunk_id = ${trunkId}::uuid AND switch_id = ${self.id} FOR UPDATE
    ),
    changed AS (
      UPDATE gateway_states g SET state = ${state}::text, sip_code = ${sipCode}::integer, reason = ${reason}::text, ${more},
        network_ip = coalesce(${answeredFrom}::inet, g.network_ip), updated_at = now(),
        since = CASE WHEN old.differs THEN now() ELSE g.since END
      FROM old WHERE g.trunk_id = old.trunk_id AND (${when})
      RETURNING g.trunk_id, g.reason
    ),
    told AS (
      INSERT INTO events (carrier_id, type, resource_id, details)
      SELECT t.carrier_id, ${eventTypes[state] ?? ''}::text, t.id, ${JSON.stringify(details)}::jsonb
      FROM changed JOIN old ON old.trunk_id = changed.trunk_id JOIN sip_trunks t ON t.id = changed.trunk_id
      WHERE ${state in eventTypes && reason !== untold}::boolean
        AND (old.differs OR old.reason IS NOT DISTINCT FROM ${untold}::text)
    )
    SELECT reason FROM changed
    UNION ALL SELECT reason FROM old WHERE ${finding.kind === 'still failed'}::boolean AND NOT EXISTS (SELECT 1 FROM changed)`,
  )
  return changed[0]?.reason === untold
}

const eventTypes: Partial<Record<RegistrationState, string>> = {
  registered: 'sip_trunk.registered',
  failed: 'sip_trunk.registration_failed',
}

/** Writes down which version of its trunk a gateway runs, as it says itself. Gives the version that is saved now, or null
 * when the switch has no right to it any more, and whether it ran another one before (`changed`). */
export async function recordVersion(
  db: Db,
  self: SwitchOfRegion,
  trunkId: string,
  version: number,
): Promise<{ saved: number | null; changed: boolean }> {
  const [recorded] = await rows<{ version: number; changed: boolean }>(
    db,
    sql`WITH old AS (
        SELECT trunk_id, running_version <> ${version}::integer AS changed FROM gateway_states
        WHERE trunk_id = ${trunkId}::uuid AND switch_id = ${self.id} FOR UPDATE
      )
      UPDATE gateway_states g SET running_version = ${version}::integer, updated_at = now()
      FROM old JOIN sip_trunks t ON t.id = old.trunk_id
      WHERE g.trunk_id = old.trunk_id RETURNING t.version, old.changed IS TRUE AS changed`,
  )
  return { saved: recorded?.version ?? null, changed: recorded?.changed ?? false }
}

/** Forgets the address that a gateway's registrar answered from: it may be that of a provider whom the trunk has left. */
export async function forgetRegistrar(db: Db, self: SwitchOfRegion, trunkId: string): Promise<void> {
  await db.execute(sql`UPDATE gateway_states SET network_ip = NULL
    WHERE trunk_id = ${trunkId}::uuid AND switch_id = ${self.id} AND network_ip IS NOT NULL`)
}

/** Writes down when a gateway that failed tries again. */
export async function recordNextTry(
  db: Db,
  self: SwitchOfRegion,
  trunkId: string,
  seconds: number,
): Promise<void> {
  await db.execute(sql`UPDATE gateway_states SET next_try_at = now() + ${seconds}::integer * interval '1 second'
    WHERE trunk_id = ${trunkId}::uuid AND switch_id = ${self.id} AND state = 'failed'`)
}

/** What is written down of the gateways of some trunks: the version that each runs, and whether it is registered. */
export async function recordedGateways(
  db: Db,
  self: SwitchOfRegion,
  { afterId, upToId }: IdRange,
): Promise<Map<string, { version: number | null; registered: boolean }>> {
  const recorded = await rows<{ trunk_id: string; running_version: number | null; state: string }>(
    db,
    sql`SELECT trunk_id, running_version, state FROM gateway_states
      WHERE switch_id = ${self.id} AND trunk_id > ${afterId}::uuid AND trunk_id <= ${upToId}::uuid`,
  )
  return new Map(
    recorded.map((row) => [
      row.trunk_id,
      { version: row.running_version, registered: row.state === 'registered' },
    ]),
  )
}
