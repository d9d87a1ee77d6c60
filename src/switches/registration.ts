import { inArray, type SQL, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import type { Trunk } from '../trunks/trunk.ts'
import type { RegistrationState } from './gateway-truth.ts'
import { isHeld } from './hold.ts'

/** What the switches say of a trunk (contract section 5, `meta.registration`); `ip_address` trunks have none. */
export type Registration = GatewayRegistration | ClientRegistration

/** Of an `outbound_registration` trunk. */
export type GatewayRegistration = {
  kind: 'gateway'
  /** `no switch`: none of its region that is up has it yet; `unknown`: the switch that had it is not reached. */
  state: RegistrationState | 'no switch' | 'unknown'
  sipCode: number | null
  /** Why, in the registrar's words or ours. */
  reason: string | null
  since: Date | null
  nextTryAt: Date | null
  /** When it ends unless it is renewed, if the registrar grants what was asked. */
  expiresAt: Date | null
  /** Version of the trunk that the gateway runs; it is the saved one when the switch has what was saved. */
  runningVersion: number | null
  savedVersion: number
}

/** Of a `client_credentials` trunk. */
export type ClientRegistration = {
  kind: 'client'
  /** `unknown`: the switch at which it was registered is not reached. */
  state: 'registered' | 'unregistered' | 'unknown'
  contacts: {
    contact: string
    userAgent: string | null
    networkIp: string | null
    networkPort: number | null
    since: Date
    expiresAt: Date
  }[]
}

type Asked = Pick<Trunk, 'id' | 'authenticationMode' | 'version'>

/** What the switches say of one trunk, or null when it is told by its source address. */
export async function registrationOf(db: Db, trunk: Asked): Promise<Registration | null> {
  return (await registrationsOf(db, [trunk])).get(trunk.id) ?? null
}

/** The same of many trunks, by their ids, in two statements at the most. */
export async function registrationsOf(db: Db, trunks: readonly Asked[]): Promise<Map<string, Registration>> {
  const by = (mode: Asked['authenticationMode']) =>
    trunks.filter((trunk) => trunk.authenticationMode === mode)
  const gateways = await ofGateways(db, by('outbound_registration'))
  const clients = await ofClients(db, by('client_credentials'))
  return new Map<string, Registration>([...gateways, ...clients])
}

type GatewayRow = {
  id: string
  state: RegistrationState | null
  sip_code: number | null
  reason: string | null
  since: number | null
  next_try: number | null
  expires: number | null
  running_version: number | null
  /** Whether the switch that has the gateway is up; without one, whether any of the region is. */
  up: boolean
}

// Times as milliseconds, since the two drivers read them differently.
const milliseconds = (column: SQL) => sql`(extract(epoch FROM ${column}) * 1000)::float8`

async function ofGateways(db: Db, trunks: readonly Asked[]): Promise<[string, GatewayRegistration][]> {
  if (trunks.length === 0) return []
  const versions = new Map(trunks.map(({ id, version }) => [id, version]))
  const found = await rows<GatewayRow>(
    db,
    sql`SELECT t.id, g.state, g.sip_code, g.reason, g.running_version, ${milliseconds(sql`g.since`)} AS since,
      ${milliseconds(sql`g.next_try_at`)} AS next_try, ${milliseconds(sql`g.expires_at`)} AS expires,
      EXISTS (SELECT 1 FROM switches s WHERE ${isHeld(sql`s`)}
        AND CASE WHEN g.switch_id IS NULL THEN s.region = t.region ELSE s.id = g.switch_id END) AS up
    FROM sip_trunks t LEFT JOIN gateway_states g ON g.trunk_id = t.id
    WHERE ${inArray(sql`t.id`, [...versions.keys()])}`,
  )
  return found.map((row) => [row.id, toGatewayRegistration(row, versions.get(row.id) ?? 0)])
}

function toGatewayRegistration(row: GatewayRow, savedVersion: number): GatewayRegistration {
  const blank = { sipCode: null, since: null, nextTryAt: null, expiresAt: null, runningVersion: null }
  if (row.state === null && !row.up)
    return {
      kind: 'gateway',
      ...blank,
      state: 'no switch',
      reason: 'No switch of the region is up.',
      savedVersion,
    }
  if (!row.up)
    return { kind: 'gateway', ...blank, state: 'unknown', reason: 'Its switch is not reached.', savedVersion }
  return {
    kind: 'gateway',
    state: row.state ?? 'starting',
    sipCode: row.sip_code,
    reason: row.reason,
    since: toDate(row.since),
    nextTryAt: toDate(row.next_try),
    expiresAt: toDate(row.expires),
    runningVersion: row.running_version,
    savedVersion,
  }
}

const toDate = (at: number | null): Date | null => (at === null ? null : new Date(Math.round(at)))

type ClientRow = {
  trunk_id: string
  contact: string
  user_agent: string | null
  network_ip: string | null
  network_port: number | null
  since: number
  expires: number
  up: boolean
}

async function ofClients(db: Db, trunks: readonly Asked[]): Promise<[string, ClientRegistration][]> {
  if (trunks.length === 0) return []
  const ids = trunks.map(({ id }) => id)
  const found = await rows<ClientRow>(
    db,
    sql`SELECT r.trunk_id, r.contact, r.user_agent, host(r.network_ip) AS network_ip, r.network_port,
      ${milliseconds(sql`r.created_at`)} AS since, ${milliseconds(sql`r.expires_at`)} AS expires,
      EXISTS (SELECT 1 FROM switches s WHERE s.id = r.switch_id AND ${isHeld(sql`s`)}) AS up
    FROM registrations r WHERE ${inArray(sql`r.trunk_id`, ids)} AND r.expires_at > now()
    ORDER BY r.updated_at DESC`,
  )
  return ids.map((id) => [id, toClientRegistration(found.filter((row) => row.trunk_id === id))])
}

function toClientRegistration(found: readonly ClientRow[]): ClientRegistration {
  const reached = found.filter(({ up }) => up)
  const state = reached.length > 0 ? 'registered' : found.length > 0 ? 'unknown' : 'unregistered'
  const contacts = reached.map((row) => ({
    contact: row.contact,
    userAgent: row.user_agent,
    networkIp: row.network_ip,
    networkPort: row.network_port,
    since: new Date(Math.round(row.since)),
    expiresAt: new Date(Math.round(row.expires)),
  }))
  return { kind: 'client', state, contacts }
}
