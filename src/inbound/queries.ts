import { type SQL, sql } from 'drizzle-orm'
import type { Instructions } from '../calls/call.ts'
import { type Db, preparedRows } from '../db/connect.ts'
import type { Candidate, Step } from '../trunks/identify.ts'
import { type Arrival, type Found, type NumberCandidate, tailsOf } from './route.ts'

/** Every trunk that an arriving call may belong to, with the active numbers of its carrier that end like the dialled one:
 * one statement. LIMIT and OFFSET keep the planner from joining whole tables when it knows too little of them (the
 * embedded database is never analysed by itself): each part is found by an index, whatever the number of trunks. */
export async function findInbound(db: Db, arrival: Arrival): Promise<Found> {
  const found = await preparedRows<CandidateRow>(
    db,
    'find_inbound',
    sql`
    WITH candidate AS MATERIALIZED (${sql.join(waysOf(arrival), sql` UNION ALL `)})
    SELECT c.*, n.*, encode(a.auth_token_encrypted, 'base64') AS auth_token, a.name AS account_name, a.status AS account_status
    FROM candidate c
    LEFT JOIN LATERAL (
      SELECT id AS number_id, number, account_id, voice_url, voice_method, voice_fallback_url, voice_fallback_method,
        status_callback_url, status_callback_method, sip_domain
      FROM incoming_phone_numbers
      WHERE carrier_id = c.carrier_id AND status = 'active' AND number_tail = ANY(string_to_array(${tailsOf(arrival).join(' ')}, ' '))
      OFFSET 0
    ) n ON true
    LEFT JOIN LATERAL (SELECT * FROM accounts WHERE id = n.account_id LIMIT 1) a ON true
    ORDER BY c.seq`,
  )
  return groupByTrunk(found)
}

// Planning the statement takes longer than running it, so a way is left out where the call makes no claim to it.
const waysOf = ({ gateway, username, sourceIp }: Arrival): SQL[] => [
  ...(gateway === null ? [] : [byGateway(gateway.id, sourceIp)]),
  ...(username === null ? [] : [byUsername(username)]),
  bySource(sourceIp),
]

const ofTrunk = sql`t.id, t.carrier_id, t.name, t.username, t.outbound_host, t.outbound_proxy, t.inbound_country, t.seq`

const byGateway = (id: string, ip: string | null): SQL => sql`
      SELECT ${ofTrunk}, 'gateway_id' AS found_by, NULL::integer AS network_length,
        EXISTS (SELECT 1 FROM sip_trunk_source_ips s WHERE s.trunk_id = t.id AND s.network >>= ${ip}::inet)
        OR EXISTS (SELECT 1 FROM gateway_states g WHERE g.trunk_id = t.id AND g.network_ip = ${ip}::inet) AS at_its_address
      FROM sip_trunks t
      WHERE t.id = ${id}::uuid AND t.authentication_mode = 'outbound_registration'`

const byUsername = (username: string): SQL => sql`
      SELECT ${ofTrunk}, 'client_identifier' AS found_by, NULL::integer AS network_length,
        false AS at_its_address
      FROM sip_trunks t
      WHERE t.username = ${username}::text AND t.authentication_mode = 'client_credentials'`

const bySource = (ip: string | null): SQL => sql`
      SELECT ${ofTrunk}, 'source_ip' AS found_by, s.length AS network_length,
        false AS at_its_address
      FROM (
        SELECT trunk_id, max(masklen(network)) AS length FROM sip_trunk_source_ips WHERE network >>= ${ip}::inet GROUP BY trunk_id
      ) s
      CROSS JOIN LATERAL (SELECT * FROM sip_trunks WHERE id = s.trunk_id AND authentication_mode = 'ip_address' LIMIT 1) t`

type CandidateRow = {
  id: string
  carrier_id: string
  name: string
  username: string | null
  outbound_host: string | null
  outbound_proxy: string | null
  inbound_country: string | null
  found_by: Candidate['foundBy']
  network_length: number | null
  at_its_address: boolean
  number_id: string | null
  number: string
  account_id: string
  account_name: string
  account_status: 'enabled' | 'disabled'
  auth_token: string
  voice_url: string | null
  voice_method: 'GET' | 'POST'
  voice_fallback_url: string | null
  voice_fallback_method: 'GET' | 'POST'
  status_callback_url: string | null
  status_callback_method: 'GET' | 'POST'
  sip_domain: string | null
}

function groupByTrunk(found: readonly CandidateRow[]): Found {
  const groups = new Map<string, Found[number]>()
  for (const row of found) {
    const key = `${row.id} ${row.found_by}`
    const group = groups.get(key) ?? { candidate: toCandidate(row), numbers: [] }
    groups.set(key, group)
    if (row.number_id !== null) group.numbers.push(toNumberCandidate(row, row.number_id))
  }
  return [...groups.values()]
}

const toCandidate = (row: CandidateRow): Candidate => ({
  foundBy: row.found_by,
  id: row.id,
  carrierId: row.carrier_id,
  name: row.name,
  username: row.username,
  outboundHost: row.outbound_host,
  outboundProxy: row.outbound_proxy,
  inboundCountry: row.inbound_country,
  networkLength: row.network_length,
  atItsAddress: row.at_its_address,
})

const toNumberCandidate = (row: CandidateRow, id: string): NumberCandidate => ({
  id,
  number: row.number,
  carrierId: row.carrier_id,
  accountId: row.account_id,
  accountName: row.account_name,
  accountStatus: row.account_status,
  authTokenEncrypted: Buffer.from(row.auth_token, 'base64'),
  voiceUrl: row.voice_url,
  voiceMethod: row.voice_method,
  voiceFallbackUrl: row.voice_fallback_url,
  voiceFallbackMethod: row.voice_fallback_method,
  statusCallbackUrl: row.status_callback_url,
  statusCallbackMethod: row.status_callback_method,
  sipDomain: row.sip_domain,
})

/** What is stored of an inbound call when it is let in. */
export type InboundCall = {
  carrierId: string
  accountId: string
  sipTrunkId: string
  incomingPhoneNumberId: string
  from: string
  to: string
  channelUuid: string
  switchName: string
  statusCallbackUrl: string | null
  statusCallbackMethod: 'GET' | 'POST'
  instructions: Instructions
  routeSteps: readonly Step[]
  /** TwiML that is there without a request: stored as the call's first step. */
  document: string | null
}

/** Stores a ringing call and so takes one of its trunk's channels, or gives null when none is left. The same channel
 * arriving again (FreeSWITCH asked a second server) is the same call, with the step it has come to. */
export async function admitInbound(db: Db, call: InboundCall): Promise<{ id: string; step: number } | null> {
  const [admitted] = await preparedRows<{ id: string; step: number }>(
    db,
    'admit_inbound',
    sql`
    WITH admitted AS (INSERT INTO phone_calls AS c (carrier_id, account_id, sip_trunk_id, incoming_phone_number_id, direction, status,
      from_number, to_number, channel_uuid, switch_name, status_callback_url, status_callback_method, instructions,
      route_steps, step, started_at, ringing_at)
    SELECT ${call.carrierId}::uuid, ${call.accountId}::uuid, ${call.sipTrunkId}::uuid, ${call.incomingPhoneNumberId}::uuid,
      'inbound', 'ringing', ${call.from}, ${call.to}, ${call.channelUuid}::uuid, ${call.switchName},
      ${call.statusCallbackUrl}::text, ${call.statusCallbackMethod}, ${JSON.stringify(call.instructions)}::jsonb,
      ${JSON.stringify(call.routeSteps)}::jsonb, ${call.document === null ? 0 : 1}::integer, now(), now()
    WHERE EXISTS (SELECT 1 FROM phone_calls WHERE channel_uuid = ${call.channelUuid}::uuid)
      OR trunk_has_channel(${call.sipTrunkId}::uuid)
    ON CONFLICT (channel_uuid) DO UPDATE SET updated_at = now() WHERE c.carrier_id = ${call.carrierId}::uuid
    RETURNING c.id, c.step),
    first AS (INSERT INTO webhook_requests (carrier_id, account_id, call_id, step, state, method, url, document)
      SELECT ${call.carrierId}::uuid, ${call.accountId}::uuid, id, 1, 'answered', 'POST', '', ${call.document}::text
      FROM admitted WHERE ${call.document}::text IS NOT NULL
      ON CONFLICT DO NOTHING)
    SELECT id, step FROM admitted`,
  )
  return admitted ?? null
}
