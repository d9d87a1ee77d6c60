import { type SQL, sql } from 'drizzle-orm'
import { recordEvent } from '../db/audit.ts'
import { type Db, rows } from '../db/connect.ts'
import type { GatewayState } from '../event-socket/event.ts'
import { expireSeconds } from '../trunks/gateway.ts'
import type { SwitchOfRegion } from './hold.ts'
import type { IdRange } from './placement.ts'

/** Where the registration of a trunk's gateway stands, in the carrier's words. */
export type RegistrationState = 'starting' | 'registering' | 'registered' | 'failed' | 'unregistering'

/** What one word of a switch means. `still failed`: it waits to try again, for a reason told before. */
export type Finding =
  | { kind: 'registered'; renewed: boolean }
  | { kind: 'trying' | 'still failed' | 'unregistering' }
  | { kind: 'failed'; sipCode: number | null; reason: string }

/** Reads a gateway's state, from an event or asked for (without code and phrase), by FreeSWITCH's names of it
 * (sofia_reg.c). A registration that is being renewed is still one: its state goes through TRYING while it stays up. */
export function readState(told: Pick<GatewayState, 'state' | 'up'> & Partial<GatewayState>): Finding | null {
  const { state, up, sipCode = null, phrase = null } = told
  if (state === 'REGISTER' || (state === 'REGED' && up))
    return { kind: 'registered', renewed: state === 'REGISTER' }
  if (up) return null
  if (state === 'FAILED' && phrase === 'DNS Error')
    return { kind: 'failed', sipCode: null, reason: unresolved }
  if (state === 'FAILED' && sipCode !== null)
    return { kind: 'failed', sipCode, reason: phrase ?? `SIP status ${sipCode}` }
  if (state === 'TIMEOUT') return { kind: 'failed', sipCode: null, reason: silent }
  if (state === 'FAILED' || state === 'FAIL_WAIT') return { kind: 'still failed' }
  if (state === 'UNREGISTER' || state === 'DOWN') return { kind: 'unregistering' }
  return { kind: 'trying' }
}

const unresolved = 'The host name of the registrar could not be resolved.'
const silent = 'The registrar did not answer.'
const untold = 'The registration fails; the switch has not told why yet.'

/** A registrar's address may ask for the password only when outbound_host or outbound_proxy stands for it
 * (freeswitch.md 2.5). */
export const strangerAsks: Finding = {
  kind: 'failed',
  sipCode: null,
  reason:
    'Another address than those of outbound_host and outbound_proxy asked for the password, so none was given.',
}

/** A switch that has the gateway to start and does not. */
export const notTaken = (problem: string): Finding => ({
  kind: 'failed',
  sipCode: null,
  reason: `The switch did not start the gateway: ${problem}`,
})

type Change = { set: SQL; when: SQL }

const newState = (state: RegistrationState, sipCode: number | null, reason: string | null): SQL =>
  sql`state = ${state}::text, sip_code = ${sipCode}::integer, reason = ${reason}::text`

// While it is tried again after a failure, what is known is the failure. A timeout says less than a stranger's question
// just before it.
function changeFor(finding: Finding): Change {
  if (finding.kind === 'registered') {
    const expires = finding.renewed
      ? sql`, expires_at = now() + ${expireSeconds}::integer * interval '1 second'`
      : sql``
    const when = finding.renewed ? sql`true` : sql`old.state <> 'registered'`
    return { set: sql`${newState('registered', null, null)}, next_try_at = NULL${expires}`, when }
  }
  const over = sql`, expires_at = NULL`
  if (finding.kind === 'failed') {
    const asked = strangerAsks.kind === 'failed' ? strangerAsks.reason : ''
    const when =
      finding.reason === silent
        ? sql`old.reason IS DISTINCT FROM ${asked} OR old.updated_at < now() - interval '40 seconds'`
        : sql`true`
    return { set: sql`${newState('failed', finding.sipCode, finding.reason)}${over}`, when }
  }
  if (finding.kind === 'still failed')
    return { set: sql`${newState('failed', null, untold)}${over}`, when: sql`old.state <> 'failed'` }
  const state = finding.kind === 'trying' ? 'registering' : 'unregistering'
  const when = finding.kind === 'trying' ? sql`old.state NOT IN ('failed', 'registering')` : sql`true`
  return { set: sql`${newState(state, null, null)}${over}`, when }
}

type Recorded = {
  carrier_id: string
  old_state: RegistrationState | 'untold'
  old_code: number | null
  state: RegistrationState
  sip_code: number | null
  reason: string | null
}

/** Writes down what a switch that has the right to a gateway says of it, and tells its carrier when it has come to stand
 * otherwise. `networkIp`: the address that its registrar answered from, kept until it tells another. True when it fails
 * for a reason that nobody has heard. */
export async function recordFinding(
  db: Db,
  self: SwitchOfRegion,
  trunkId: string,
  finding: Finding,
  networkIp: string | null = null,
): Promise<boolean> {
  const { set, when } = changeFor(finding)
  return db.transaction(async (tx) => {
    const [change] = await rows<Recorded>(
      tx,
      sql`
      WITH old AS (
        SELECT * FROM gateway_states WHERE trunk_id = ${trunkId}::uuid AND switch_id = ${self.id} FOR UPDATE
      ),
      changed AS (
        UPDATE gateway_states g SET ${set}, network_ip = coalesce(${networkIp}::inet, g.network_ip), updated_at = now()
        FROM old WHERE g.trunk_id = old.trunk_id AND (${when})
        RETURNING g.trunk_id, g.state, g.sip_code, g.reason
      )
      SELECT t.carrier_id, CASE WHEN old.reason = ${untold} THEN 'untold' ELSE old.state END AS old_state,
        old.sip_code AS old_code, changed.state, changed.sip_code, changed.reason
      FROM changed JOIN old ON old.trunk_id = changed.trunk_id JOIN sip_trunks t ON t.id = changed.trunk_id`,
    )
    if (change === undefined) return false
    const { state, sip_code } = change
    if (state === change.old_state && sip_code === change.old_code) return false
    await tx.execute(sql`UPDATE gateway_states SET since = now() WHERE trunk_id = ${trunkId}::uuid`)
    if (change.reason !== untold) await tellCarrier(tx, self, trunkId, change)
    return change.reason === untold
  })
}

async function tellCarrier(tx: Db, self: SwitchOfRegion, trunkId: string, change: Recorded): Promise<void> {
  const type = { registered: 'sip_trunk.registered', failed: 'sip_trunk.registration_failed' }[
    change.state as string
  ]
  if (type === undefined) return
  const details = { region: self.region, sip_code: change.sip_code, reason: change.reason }
  const event = { carrierId: change.carrier_id, type, resourceId: trunkId, apiTokenId: null }
  await recordEvent(tx, {
    ...event,
    details: change.state === 'registered' ? { region: self.region } : details,
  })
}

/** Writes down which version of its trunk a gateway runs, as it says itself. */
export async function recordVersion(
  db: Db,
  self: SwitchOfRegion,
  trunkId: string,
  version: number,
): Promise<void> {
  await db.execute(sql`UPDATE gateway_states SET running_version = ${version}::integer, updated_at = now()
    WHERE trunk_id = ${trunkId}::uuid AND switch_id = ${self.id} AND running_version IS DISTINCT FROM ${version}::integer`)
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
