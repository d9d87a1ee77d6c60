import { sql } from 'drizzle-orm'
import type { Platform } from './platform.ts'

const hourMilliseconds = 3_600_000

/** Throws away what nobody needs any more, once an hour, in whichever process is first; the function that it gives stops
 * it. Calls, CDRs, error logs and the audit trail are the carriers' and stay. */
export function startHousekeeping(platform: Platform): () => Promise<void> {
  const timer = setInterval(() => tidy(platform), hourMilliseconds)
  return async () => clearInterval(timer)
}

function tidy({ db, database, log }: Platform): void {
  const deeds = [
    sql`DELETE FROM unidentified_sources WHERE hour < now() - interval '30 days'`,
    sql`DELETE FROM idempotency_keys WHERE created_at < now() - interval '2 days'`,
    // A prompt that a call still needs is stored again by the step that names it.
    sql`DELETE FROM audio_prompts WHERE created_at < now() - interval '30 days'`,
    // PostgreSQL does this by itself; the embedded one has no process that would.
    ...(database.embedded ? [sql`ANALYZE`] : []),
  ]
  Promise.all(deeds.map((deed) => db.execute(deed))).catch((error) =>
    log.error({ err: error }, 'Housekeeping failed'),
  )
}
