import { type SQL, sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import type { WebhookStep } from './call.ts'

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

// Longer than a webhook and its fallback may take together.
const leaseSeconds = 35

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
