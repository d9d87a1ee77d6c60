import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { Instructions, RunningCall, WebhookStep } from '../calls/call.ts'
import { type Db, preparedRows, rows } from '../db/connect.ts'
import { accounts, phoneCalls, webhookRequests } from '../db/schema.ts'
import type { Cookies } from '../webhooks/cookies.ts'

/** A live call by its id and its channel's UUID, which proves that the switch runs it, with its newest step. */
export async function runningCall(
  db: Db,
  id: string,
  channelUuid: string,
): Promise<{ call: RunningCall; current: WebhookStep | null } | null> {
  const askedAt = performance.now()
  const [found] = await db
    .select({
      call: {
        id: phoneCalls.id,
        carrierId: phoneCalls.carrierId,
        accountId: phoneCalls.accountId,
        authTokenEncrypted: accounts.authTokenEncrypted,
        accountEnabled: sql<boolean>`${accounts.status} = 'enabled'`,
        sipTrunkId: phoneCalls.sipTrunkId,
        parentCallId: phoneCalls.parentCallId,
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
    call: { ...call, askedAt, channelUuid, instructions: call.instructions as Instructions, depth: 0 },
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
  /** What in the document is not used as it stands, as sentences. */
  warnings: readonly string[]
  /** What the call keeps from now on; null: as before. */
  cookies: Cookies | null
}

/** A step that came without a request: its document is still to be added. */
export const noRequest: StoredStep = {
  state: 'answered',
  method: 'POST',
  url: '',
  params: {},
  finalUrl: null,
  document: null,
  httpStatus: null,
  durationMs: null,
  problem: null,
  warnings: [],
  cookies: null,
}

// Longer than a webhook may take, and its fallback after it.
const leaseSeconds = ({ instructions }: Pick<RunningCall, 'instructions'>) =>
  instructions.fallbackUrl === undefined ? 17 : 33

/** A prompt that a call of an account is to hear. */
export type NamedPrompt = { id: string; source: object; accountId: string }

/** Stores a step of a call as its newest, with the prompts that its document needs: one statement. A step that was
 * stored meanwhile under the same number by the API (a live update) wins: then false. */
export async function saveStep(
  db: Db,
  call: Pick<RunningCall, 'id' | 'step' | 'instructions'>,
  stored: StoredStep,
  prompts: readonly NamedPrompt[] = [],
): Promise<boolean> {
  const { id, step } = call
  const saved = await preparedRows<{ step: number }>(
    db,
    'save_step',
    sql`
    WITH ${knownPrompts(prompts)},
    current AS (UPDATE phone_calls SET step = ${step}, updated_at = now(),
        instructions = instructions || CASE WHEN ended_at IS NULL THEN ${JSON.stringify(stored.cookies === null ? {} : { cookies: stored.cookies })}::jsonb ELSE '{}' END
      WHERE id = ${id}::uuid AND step <= ${step}
      RETURNING carrier_id, account_id)
    INSERT INTO webhook_requests AS w (carrier_id, account_id, call_id, step, state, method, url, params, final_url, document, http_status, duration_ms, problem, warnings, expires_at)
    SELECT carrier_id, account_id, ${id}::uuid, ${step}::integer, ${stored.state}::text, ${stored.method}::text, ${stored.url}::text, ${JSON.stringify(stored.params)}::jsonb,
      ${stored.finalUrl}::text, ${stored.document}::text, ${stored.httpStatus}::integer, ${stored.durationMs}::integer, ${stored.problem}::text,
      ${JSON.stringify(stored.warnings)}::jsonb,
      CASE WHEN ${stored.state}::text = 'pending' THEN now() + ${leaseSeconds(call)} * interval '1 second' END
    FROM current
    ON CONFLICT (call_id, step) DO UPDATE SET state = excluded.state, final_url = excluded.final_url,
      document = excluded.document, http_status = excluded.http_status, duration_ms = excluded.duration_ms,
      problem = excluded.problem, warnings = excluded.warnings, expires_at = excluded.expires_at, updated_at = now()
      WHERE w.state = 'pending' AND w.url = excluded.url
    RETURNING step`,
  )
  return saved.length > 0
}

/** Makes prompts known to every server process. */
export async function savePrompts(db: Db, prompts: readonly NamedPrompt[]): Promise<void> {
  if (prompts.length > 0) await db.execute(sql`WITH ${knownPrompts(prompts)} SELECT 1`)
}

// One JSON parameter, so that the statement's text is the same for any number of prompts. What is used stays young, so
// that housekeeping takes no prompt that a call has just been told to play; of one that is young already nothing is
// written or locked: half of all calls may say the same.
const knownPrompts = (prompts: readonly NamedPrompt[]): SQL => sql`
  named AS (SELECT n->>'id' AS id, n->'source' AS source, (n->>'accountId')::uuid AS account_id FROM jsonb_array_elements(${JSON.stringify(prompts)}::jsonb) n),
  new AS (INSERT INTO audio_prompts (id, source, account_id) SELECT id, source, account_id FROM named ON CONFLICT (id) DO NOTHING),
  young AS (UPDATE audio_prompts SET created_at = now() WHERE id IN (
    SELECT p.id FROM audio_prompts p WHERE p.id IN (SELECT id FROM named) AND p.created_at < now() - interval '1 day'
    FOR UPDATE SKIP LOCKED))`

/** Takes over a pending step whose process did not finish it in time; true for the one that may ask again. */
export async function claimExpiredStep(
  db: Db,
  call: Pick<RunningCall, 'id' | 'step' | 'instructions'>,
): Promise<boolean> {
  const claimed = await rows<{ step: number }>(
    db,
    sql`UPDATE webhook_requests SET expires_at = now() + ${leaseSeconds(call)} * interval '1 second', updated_at = now()
      WHERE call_id = ${call.id}::uuid AND step = ${call.step} AND state = 'pending' AND expires_at < now() RETURNING step`,
  )
  return claimed.length > 0
}

/** Lets pending steps be taken over at once: their process ends. */
export async function expireSteps(db: Db, lost: readonly { callId: string; step: number }[]): Promise<void> {
  await db.execute(sql`
    UPDATE webhook_requests w SET expires_at = now(), updated_at = now()
    FROM jsonb_to_recordset(${JSON.stringify(lost)}::jsonb) AS l ("callId" uuid, step integer)
    WHERE w.call_id = l."callId" AND w.step = l.step AND w.state = 'pending'`)
}
