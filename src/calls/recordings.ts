import { and, desc, eq } from 'drizzle-orm'
import { toSid } from '../accounts/account.ts'
import { recordings } from '../db/schema.ts'
import type { Platform } from '../platform.ts'
import { randomToken } from '../secrets.ts'
import type { RecordingOrder } from '../twiml/recording.ts'
import type { Outcome } from '../twiml/rules.ts'
import type { RunningCall } from './call.ts'

/** Stores a recording that is about to be taken and gives our own URL to which FreeSWITCH uploads its file: the last
 * segment is unguessable, since mod_http_cache can send no credentials that would not stand in its logs. */
export async function beginRecording(
  platform: Platform,
  call: RunningCall,
  source: 'RecordVerb' | 'DialVerb' | 'OutboundAPI',
  order: RecordingOrder,
  channels: 1 | 2,
): Promise<string> {
  const uploadKey = randomToken(32)
  await platform.db.insert(recordings).values({
    accountId: call.accountId,
    callId: call.id,
    status: 'in-progress',
    source,
    uploadKey,
    channels,
    callbackUrl: order.callback?.url ?? null,
    callbackMethod: order.callback?.method ?? null,
  })
  return `${platform.env.SWITCH_URL}/freeswitch/recordings/${uploadKey}.wav`
}

/** How a Record ended, for its action: the newest recording of the call and how long it is. */
export async function recordOutcome(
  platform: Platform,
  call: RunningCall,
  ended: { recordSeconds: number | null; terminator: string | null },
): Promise<Outcome> {
  const [recording] = await platform.db
    .select({ id: recordings.id })
    .from(recordings)
    .where(and(eq(recordings.callId, call.id), eq(recordings.source, 'RecordVerb')))
    .orderBy(desc(recordings.seq))
    .limit(1)
  if (!recording || !ended.recordSeconds) return {}
  const sid = toSid('RE', recording.id)
  const url = `${platform.env.PUBLIC_URL}/2010-04-01/Accounts/${toSid('AC', call.accountId)}/Recordings/${sid}`
  return { record: { sid, url, seconds: ended.recordSeconds, endedBy: ended.terminator ?? '' } }
}
