import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { accounts, phoneCalls, webhookRequests } from '../db/schema.ts'
import type { Candidate, Step } from '../trunks/identify.ts'
import type { Instructions, RunningCall, WebhookStep } from './call.ts'
import { type Arrival, type Found, type NumberCandidate, tailsOf } from './route-inbound.ts'

/** Every trunk that an arriving call may belong to, with the active numbers of its carrier that end like the dialled one:
 * one statement, each part of it on an index, whatever the number of trunks. */
export async function findInbound(db: Db, arrival: Arrival): Promise<Found> {
  const tails = sql.join(
    tailsOf(arrival).map((tail) => sql`${tail}`),
    sql`, `,
  )
  const ip = arrival.sourceIp
  const found = await rows<CandidateRow>(
    db,
    sql`
    WITH candidate AS (
      SELECT t.id, t.carrier_id, t.name, t.inbound_country, t.seq, 'gateway_id' AS found_by, NULL::integer AS network_length,
        EXISTS (SELECT 1 FROM sip_trunk_source_ips s WHERE s.trunk_id = t.id AND s.network >>= ${ip}::inet)
        OR EXISTS (SELECT 1 FROM gateway_states g WHERE g.trunk_id = t.id AND g.network_ip = ${ip}::inet) AS at_its_address
      FROM sip_trunks t
      WHERE t.id = ${arrival.gateway?.id ?? null}::uuid AND t.authentication_mode = 'outbound_registration'
      UNION ALL
      SELECT t.id, t.carrier_id, t.name, t.inbound_country, t.seq, 'client_identifier', NULL, false
      FROM sip_trunks t
      WHERE t.username = ${arrival.username}::text AND t.authentication_mode = 'client_credentials'
      UNION ALL
      SELECT t.id, t.carrier_id, t.name, t.inbound_country, t.seq, 'source_ip', max(masklen(s.network)), false
      FROM sip_trunk_source_ips s JOIN sip_trunks t ON t.id = s.trunk_id AND t.authentication_mode = 'ip_address'
      WHERE s.network >>= ${ip}::inet
      GROUP BY t.id
    )
    SELECT c.*, n.id AS number_id, n.number, n.account_id, n.voice_url, n.voice_method, n.voice_fallback_url,
      n.voice_fallback_method, n.status_callback_url, n.status_callback_method, n.sip_domain,
      a.name AS account_name, a.status AS account_status, encode(a.auth_token_encrypted, 'base64') AS auth_token
    FROM candidate c
    LEFT JOIN incoming_phone_numbers n
      ON n.carrier_id = c.carrier_id AND n.status = 'active' AND n.number_tail IN (${tails.queryChunks.length === 0 ? sql`''` : tails})
    LEFT JOIN accounts a ON a.id = n.account_id
    ORDER BY c.seq`,
  )
  return groupByTrunk(found)
}

type CandidateRow = {
  id: string
  carrier_id: string
  name: string
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
}

/** Stores a ringing call and so takes one of its trunk's channels, or gives null when none is left. The same channel
 * arriving again (FreeSWITCH asked a second server) is the same call, with the step it has come to. */
export async function admitInbound(db: Db, call: InboundCall): Promise<{ id: string; step: number } | null> {
  const [admitted] = await rows<{ id: string; step: number }>(
    db,
    sql`
    INSERT INTO phone_calls AS c (carrier_id, account_id, sip_trunk_id, incoming_phone_number_id, direction, status,
      from_number, to_number, channel_uuid, switch_name, status_callback_url, status_callback_method, instructions,
      route_steps, started_at, ringing_at)
    SELECT ${call.carrierId}::uuid, ${call.accountId}::uuid, ${call.sipTrunkId}::uuid, ${call.incomingPhoneNumberId}::uuid,
      'inbound', 'ringing', ${call.from}, ${call.to}, ${call.channelUuid}::uuid, ${call.switchName},
      ${call.statusCallbackUrl}::text, ${call.statusCallbackMethod}, ${JSON.stringify(call.instructions)}::jsonb,
      ${JSON.stringify(call.routeSteps)}::jsonb, now(), now()
    WHERE EXISTS (SELECT 1 FROM phone_calls WHERE channel_uuid = ${call.channelUuid}::uuid)
      OR trunk_has_channel(${call.sipTrunkId}::uuid)
    ON CONFLICT (channel_uuid) DO UPDATE SET updated_at = now() WHERE c.carrier_id = ${call.carrierId}::uuid
    RETURNING c.id, c.step`,
  )
  return admitted ?? null
}

/** A live call by its id and its channel's UUID, which proves that the switch runs it, with its newest step. */
export async function runningCall(
  db: Db,
  id: string,
  channelUuid: string,
): Promise<{ call: RunningCall; current: WebhookStep | null } | null> {
  const [found] = await db
    .select({
      call: {
        id: phoneCalls.id,
        carrierId: phoneCalls.carrierId,
        accountId: phoneCalls.accountId,
        authTokenEncrypted: accounts.authTokenEncrypted,
        sipTrunkId: phoneCalls.sipTrunkId,
        direction: phoneCalls.direction,
        status: phoneCalls.status,
        from: phoneCalls.from,
        to: phoneCalls.to,
        channelUuid: phoneCalls.channelUuid,
        step: phoneCalls.step,
        instructions: phoneCalls.instructions,
      },
      current: {
        state: webhookRequests.state,
        method: webhookRequests.method,
        url: webhookRequests.url,
        params: webhookRequests.params,
        finalUrl: webhookRequests.finalUrl,
        document: webhookRequests.document,
        problem: webhookRequests.problem,
        expired: sql<boolean>`coalesce(${webhookRequests.expiresAt} < now(), false)`,
        ageSeconds: sql<number>`extract(epoch FROM now() - ${webhookRequests.createdAt})::float8`,
      },
    })
    .from(phoneCalls)
    .innerJoin(accounts, eq(accounts.id, phoneCalls.accountId))
    .leftJoin(
      webhookRequests,
      and(eq(webhookRequests.callId, phoneCalls.id), eq(webhookRequests.step, phoneCalls.step)),
    )
    .where(and(eq(phoneCalls.id, id), eq(phoneCalls.channelUuid, channelUuid)))
  if (!found) return null
  const { current, call } = found
  return {
    call: { ...call, channelUuid, instructions: call.instructions as Instructions },
    current: current?.state ? (current as WebhookStep) : null,
  }
}

/** A step as it is stored. */
export type StoredStep = {
  state: WebhookStep['state']
  method: 'GET' | 'POST'
  url: string
  params: Record<string, string>
  finalUrl: string | null
  document: string | null
  httpStatus: number | null
  durationMs: number | null
  problem: string | null
}

const leaseSeconds = 20

/** Stores a step of a call as its newest, with the prompts that its document needs: one statement. A step that was
 * stored meanwhile under the same number by the API (a live update) wins: then false. */
export async function saveStep(
  db: Db,
  callId: string,
  step: number,
  stored: StoredStep,
  prompts: readonly { id: string; source: object }[] = [],
): Promise<boolean> {
  const saved = await rows<{ step: number }>(
    db,
    sql`
    WITH prompt AS (${insertPrompts(prompts)}),
    current AS (UPDATE phone_calls SET step = ${step}, updated_at = now() WHERE id = ${callId}::uuid AND step <= ${step} RETURNING step)
    INSERT INTO webhook_requests AS w (call_id, step, state, method, url, params, final_url, document, http_status, duration_ms, problem, expires_at)
    SELECT ${callId}::uuid, ${step}::integer, ${stored.state}::text, ${stored.method}::text, ${stored.url}::text, ${JSON.stringify(stored.params)}::jsonb,
      ${stored.finalUrl}::text, ${stored.document}::text, ${stored.httpStatus}::integer, ${stored.durationMs}::integer, ${stored.problem}::text,
      CASE WHEN ${stored.state}::text = 'pending' THEN now() + ${leaseSeconds} * interval '1 second' END
    FROM current
    ON CONFLICT (call_id, step) DO UPDATE SET state = excluded.state, final_url = excluded.final_url,
      document = excluded.document, http_status = excluded.http_status, duration_ms = excluded.duration_ms,
      problem = excluded.problem, expires_at = excluded.expires_at, updated_at = now()
      WHERE w.state = 'pending' AND w.url = excluded.url
    RETURNING step`,
  )
  return saved.length > 0
}

/** Makes prompts known to every server process. */
export async function savePrompts(db: Db, prompts: readonly { id: string; source: object }[]): Promise<void> {
  if (prompts.length > 0) await db.execute(insertPrompts(prompts))
}

// One JSON parameter, so that the statement's text is the same for any number of prompts.
function insertPrompts(prompts: readonly { id: string; source: object }[]): SQL {
  return sql`INSERT INTO audio_prompts (id, source)
    SELECT p->>'id', p->'source' FROM jsonb_array_elements(${JSON.stringify(prompts)}::jsonb) p
    ON CONFLICT (id) DO NOTHING`
}

/** Takes over a pending step whose process did not finish it in time; true for the one that may ask again. */
export async function claimExpiredStep(db: Db, callId: string, step: number): Promise<boolean> {
  const claimed = await rows<{ step: number }>(
    db,
    sql`UPDATE webhook_requests SET expires_at = now() + ${leaseSeconds} * interval '1 second', updated_at = now()
      WHERE call_id = ${callId}::uuid AND step = ${step} AND state = 'pending' AND expires_at < now() RETURNING step`,
  )
  return claimed.length > 0
}

/** Marks a call answered now, unless something has said so before or the call is over. True when it changed. */
export async function markAnswered(db: Db, callId: string): Promise<boolean> {
  const changed = await db
    .update(phoneCalls)
    .set({ status: 'in-progress', answeredAt: new Date(), updatedAt: new Date() })
    .where(and(eq(phoneCalls.id, callId), isNull(phoneCalls.answeredAt), isNull(phoneCalls.endedAt)))
    .returning({ id: phoneCalls.id })
  return changed.length > 0
}

/** What a carrier reads in its error logs. */
export type ErrorLog = {
  carrierId: string
  accountId: string | null
  sipTrunkId: string | null
  callId: string | null
  type: string
  message: string
  details: Record<string, unknown>
}

const mostLogsPerMinute = 60

/** Stores an error log, 60 a minute and trunk at the most: what one trunk sends cannot fill the table. */
export async function insertErrorLog(db: Db, log: ErrorLog): Promise<void> {
  await db.execute(sql`
    INSERT INTO error_logs (carrier_id, account_id, sip_trunk_id, call_id, type, message, details)
    SELECT ${log.carrierId}::uuid, ${log.accountId}::uuid, ${log.sipTrunkId}::uuid, ${log.callId}::uuid, ${log.type},
      ${log.message}, ${JSON.stringify(log.details)}::jsonb
    WHERE ${log.sipTrunkId}::uuid IS NULL OR (
      SELECT count(*) FROM (
        SELECT 1 FROM error_logs WHERE sip_trunk_id = ${log.sipTrunkId}::uuid AND created_at > now() - interval '1 minute'
        LIMIT ${mostLogsPerMinute}
      ) recent
    ) < ${mostLogsPerMinute}`)
}

/** Counts a call from an address that no trunk lists, keeping the last one of each hour as a sample. */
export async function countUnidentified(
  db: Db,
  sourceIp: string,
  sample: Record<string, unknown>,
): Promise<void> {
  await db.execute(sql`
    INSERT INTO unidentified_sources AS u (source_ip, hour, sample)
    VALUES (${sourceIp}::inet, date_trunc('hour', now()), ${JSON.stringify(sample)}::jsonb)
    ON CONFLICT (source_ip, hour) DO UPDATE SET calls = u.calls + 1, sample = excluded.sample, updated_at = now()`)
}
