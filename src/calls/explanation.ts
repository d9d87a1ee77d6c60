import { sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import type { Step } from '../trunks/identify.ts'
import type { Trunk } from '../trunks/trunk.ts'

/** What would become of a call, and everything that was looked at on the way. */
export type Explanation = {
  steps: Step[]
  trunkId: string | null
  /** Why the call would go nowhere: SIP status, or Twilio's error code for an outbound call. */
  refusal: { code: number; message: string } | null
}

/** The step of an explanation that tells whether a trunk has a channel left for the call. */
export async function channelStep(db: Db, trunk: Pick<Trunk, 'id' | 'carrierId' | 'name'>): Promise<Step> {
  const [found] = await rows<{ free: boolean }>(db, sql`SELECT trunk_has_channel(${trunk.id}::uuid) AS free`)
  const kept = found?.free ?? false
  const { id, carrierId, name } = trunk
  const reason = kept
    ? 'The trunk has a channel left.'
    : 'The trunk has as many calls as max_channels allows.'
  return { looked_at: 'channels', carrierId, id, name, kept, reason }
}
