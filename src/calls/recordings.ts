import { and, desc, eq } from 'drizzle-orm'
import { toSid } from '../accounts/account.ts'
import { type KeptRecording, keepRecording } from '../audio/recording.ts'
import { recordingStore } from '../audio/recording-store.ts'
import type { Db } from '../db/connect.ts'
import { recordings } from '../db/schema.ts'
import type { Platform } from '../platform.ts'
import { randomToken } from '../secrets.ts'
import type { RecordingEvent, RecordingOrder } from '../twiml/recording.ts'
import type { Recorded } from '../twiml/rules.ts'
import { rfc2822 } from '../webhooks/params.ts'
import { enqueueCallback } from '../webhooks/status-callback.ts'
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
  const uploadUrl = `${platform.env.SWITCH_URL}/freeswitch/recordings/${uploadKey}.wav`
  await platform.db.insert(recordings).values({
    accountId: call.accountId,
    callId: call.id,
    status: 'in-progress',
    source,
    uploadKey,
    uploadUrl,
    channels,
    trim: order.trim,
    callbackUrl: order.callback?.url ?? null,
    callbackMethod: order.callback?.method ?? null,
    callbackEvents: [...order.events],
  })
  return uploadUrl
}

/** Notes that a recording has begun, and reports it where that is asked for: once, since the switch may say it twice. Where
 * it says it late or never, the file does. */
export async function recordingStarted(
  { db, env }: Platform,
  { path, at }: { path: string; at: Date },
): Promise<void> {
  const [, uploadKey] = /\/freeswitch\/recordings\/([A-Za-z0-9]+)\.wav$/.exec(path) ?? []
  if (uploadKey === undefined) return
  await db.transaction(async (tx) => {
    const waiting = and(eq(recordings.uploadKey, uploadKey), eq(recordings.status, 'in-progress'))
    const [recording] = await tx.select().from(recordings).where(waiting).for('update')
    if (recording === undefined) return
    const callbackEvents = recording.callbackEvents.filter((event) => event !== 'in-progress')
    await tx
      .update(recordings)
      .set({ startedAt: at, callbackEvents, updatedAt: new Date() })
      .where(eq(recordings.id, recording.id))
    await report(tx, { ...recording, startedAt: at }, 'in-progress', env.PUBLIC_URL)
  })
}

/** Keeps the file that FreeSWITCH uploads for a recording, and reports it; a word when there is no such recording, or its
 * file has come before, is none, or cannot be kept: FreeSWITCH does not send it again. */
export async function keepUpload(
  platform: Platform,
  uploadKey: string,
  body: AsyncIterable<Uint8Array>,
): Promise<{ problem: string } | null> {
  const [recording] = await platform.db
    .update(recordings)
    .set({ status: 'processing', updatedAt: new Date() })
    .where(and(eq(recordings.uploadKey, uploadKey), eq(recordings.status, 'in-progress')))
    .returning()
  if (!recording) return { problem: 'No recording waits for this file.' }
  const { id, trim } = recording
  const kept = await keepRecording(recordingStore(platform.env), id, body, { trim }).catch((error) => {
    platform.log.error({ err: error, recording: id }, 'The file of a recording could not be kept')
    return { problem: 'The file could not be kept.' }
  })
  await platform.db.transaction((tx) => settle(tx, recording, kept, platform.env.PUBLIC_URL))
  return 'problem' in kept ? kept : null
}

type Stored = typeof recordings.$inferSelect

async function settle(tx: Db, recording: Stored, kept: KeptRecording | { problem: string }, base: string) {
  const seconds = 'problem' in kept ? 0 : kept.seconds
  const status = seconds === 0 ? 'absent' : 'completed'
  const file = 'problem' in kept ? {} : { bytes: kept.bytes, channels: kept.channels }
  await tx
    .update(recordings)
    .set({ ...file, status, duration: seconds, updatedAt: new Date() })
    .where(eq(recordings.id, recording.id))
  const params = {
    RecordingDuration: String(seconds),
    ...('problem' in kept ? {} : { RecordingChannels: String(kept.channels) }),
  }
  await report(tx, recording, 'in-progress', base)
  await report(tx, recording, status, base, params)
}

async function report(
  tx: Db,
  recording: Stored,
  status: RecordingEvent,
  base: string,
  params: Record<string, string> = {},
): Promise<void> {
  const { id, accountId, callId, callbackUrl: url, callbackMethod } = recording
  if (url === null || !recording.callbackEvents.includes(status)) return
  await enqueueCallback(tx, {
    ...{ orderKey: id, accountId, callId, url, method: callbackMethod ?? 'POST' },
    params: {
      AccountSid: toSid('AC', accountId),
      CallSid: toSid('CA', callId),
      RecordingSid: toSid('RE', id),
      RecordingUrl: recordingUrl(base, accountId, id),
      RecordingStatus: status,
      RecordingChannels: String(recording.channels),
      RecordingStartTime: rfc2822(recording.startedAt),
      RecordingSource: recording.source,
      ...params,
    },
  })
}

const recordingUrl = (base: string, accountId: string, id: string) =>
  `${base}/2010-04-01/Accounts/${toSid('AC', accountId)}/Recordings/${toSid('RE', id)}`

/** The newest recording of a call by a verb, or null when there was only silence. FreeSWITCH uploads the file before it
 * asks us again. */
export async function newestRecording(
  { db, env }: Platform,
  call: RunningCall,
  source: 'RecordVerb' | 'DialVerb',
): Promise<Recorded | null> {
  const [recording] = await db
    .select({ id: recordings.id, seconds: recordings.duration })
    .from(recordings)
    .where(and(eq(recordings.callId, call.id), eq(recordings.source, source)))
    .orderBy(desc(recordings.seq))
    .limit(1)
  if (!recording?.seconds) return null
  const url = recordingUrl(env.PUBLIC_URL, call.accountId, recording.id)
  return { sid: toSid('RE', recording.id), url, seconds: recording.seconds }
}
