import { and, desc, eq, inArray, ne } from 'drizzle-orm'
import { toSid } from '../accounts/account.ts'
import { type KeptRecording, keepRecording, type SilenceRule } from '../audio/recording.ts'
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
import { forgetExpected, lockOverdueRecordings, noteRecorded, type Recording } from './recording-queries.ts'

/** What takes a recording: a verb, by its place in the document (`<step>.<index>`), or the order of an API call. */
export type Recorder =
  | { source: 'RecordVerb' | 'DialVerb'; verb: string }
  | { source: 'OutboundAPI'; verb: null }

/** Stores a recording that the switch may come to take and gives our own URL to which FreeSWITCH uploads its file: the
 * last segment is unguessable, since mod_http_cache can send no credentials that would not stand in its logs. */
export async function expectRecording(
  platform: Platform,
  call: RunningCall,
  { source, verb }: Recorder,
  order: RecordingOrder,
  channels: 1 | 2,
): Promise<string> {
  const uploadKey = randomToken(32)
  const uploadUrl = `${platform.env.SWITCH_URL}/freeswitch/recordings/${uploadKey}.wav`
  await platform.db.insert(recordings).values({
    accountId: call.accountId,
    callId: call.id,
    status: 'expected',
    source,
    verb,
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
    const expected = and(eq(recordings.uploadKey, uploadKey), eq(recordings.status, 'expected'))
    const [recording] = await tx.select().from(recordings).where(expected).for('update')
    if (recording === undefined) return
    const callbackEvents = recording.callbackEvents.filter((event) => event !== 'in-progress')
    await tx
      .update(recordings)
      .set({ status: 'in-progress', startedAt: at, callbackEvents, updatedAt: new Date() })
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
    .where(and(eq(recordings.uploadKey, uploadKey), inArray(recordings.status, ['expected', 'in-progress'])))
    .returning()
  if (!recording) return { problem: 'No recording waits for this file.' }
  const { id } = recording
  const store = recordingStore(platform.env)
  const kept = await keepRecording(store, id, body, silenceRule(recording)).catch((error) => {
    platform.log.error({ err: error, recording: id }, 'The file of a recording could not be kept')
    return { problem: 'The file could not be kept.' }
  })
  const settled = await platform.db.transaction((tx) => settle(tx, recording, kept, platform.env.PUBLIC_URL))
  if (!settled) await store.remove(id)
  return 'problem' in kept ? kept : null
}

// As at Twilio: a Record of silence alone goes on to the next verb, unless the silence was asked for; what Dial or the API
// recorded of a call is a recording, whatever was said.
function silenceRule({ trim, source }: Recording): SilenceRule {
  if (!trim) return 'keep'
  return source === 'RecordVerb' ? 'trim all' : 'trim ends'
}

/** Settles recordings that began and whose file has not come long after the end of their call, as absent, and forgets those
 * that the switch never came to: a few at a time. */
export async function giveUpRecordings({ db, env, log }: Platform): Promise<void> {
  await db.transaction(async (tx) => {
    for (const recording of await lockOverdueRecordings(tx)) {
      if (recording.status === 'expected') await forgetExpected(tx, recording.callId)
      else await settle(tx, recording, { problem: 'It did not come.' }, env.PUBLIC_URL)
      const { id, callId, status } = recording
      if (status !== 'expected') log.warn({ callId, recording: id }, 'The file of a recording never came')
    }
  })
}

// False: the recording was deleted meanwhile, and nobody is told of it any more.
async function settle(tx: Db, recording: Recording, kept: KeptRecording | { problem: string }, base: string) {
  const seconds = 'problem' in kept ? 0 : kept.seconds
  const status = seconds === 0 ? 'absent' : 'completed'
  const file = 'problem' in kept ? {} : { bytes: kept.bytes, channels: kept.channels }
  const settled = await tx
    .update(recordings)
    .set({ ...file, status, duration: seconds, updatedAt: new Date() })
    .where(and(eq(recordings.id, recording.id), ne(recordings.status, 'deleted')))
    .returning({ id: recordings.id })
  if (settled.length === 0) return false
  const params = {
    RecordingDuration: String(seconds),
    ...('problem' in kept ? {} : { RecordingChannels: String(kept.channels) }),
  }
  await report(tx, recording, 'in-progress', base)
  await report(tx, recording, status, base, params)
  if (status === 'completed' && recording.source === 'OutboundAPI')
    await noteRecorded(tx, recording, toRecorded(recording, seconds, base))
  return true
}

async function report(
  tx: Db,
  recording: Recording,
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

const toRecorded = (
  { id, accountId }: Pick<Recording, 'id' | 'accountId'>,
  seconds: number,
  base: string,
): Recorded => ({ sid: toSid('RE', id), url: recordingUrl(base, accountId, id), seconds })

const recordingUrl = (base: string, accountId: string, id: string) =>
  `${base}/2010-04-01/Accounts/${toSid('AC', accountId)}/Recordings/${toSid('RE', id)}`

/** What a verb (`<step>.<index>`) of a call has recorded, or null when that was nothing. FreeSWITCH uploads the file
 * before it asks us again. */
export async function recordedBy(
  { db, env }: Platform,
  call: RunningCall,
  verb: string,
): Promise<Recorded | null> {
  const [recording] = await db
    .select({ id: recordings.id, seconds: recordings.duration })
    .from(recordings)
    .where(and(eq(recordings.callId, call.id), eq(recordings.verb, verb), ne(recordings.status, 'expected')))
    .orderBy(desc(recordings.seq))
    .limit(1)
  if (!recording?.seconds) return null
  return toRecorded({ id: recording.id, accountId: call.accountId }, recording.seconds, env.PUBLIC_URL)
}
