import { Readable } from 'node:stream'
import { and, eq, type SQL } from 'drizzle-orm'
import type { Context, Hono } from 'hono'
import { fromSid } from '../accounts/account.ts'
import { openRecording } from '../audio/recording-file.ts'
import { type RecordingFormat, recordingStore } from '../audio/recording-store.ts'
import { accountCall } from '../calls/account-queries.ts'
import {
  markRecordingDeleted,
  placeOfRecording,
  type Recording,
  recordingOf,
  selectRecordings,
} from '../calls/recording-queries.ts'
import { recordings } from '../db/schema.ts'
import type { Platform } from '../platform.ts'
import type { TwilioEnv } from './authenticate.ts'
import { callOf } from './call-filters.ts'
import { answerNotFound } from './error.ts'
import { readQuery } from './form.ts'
import { answerPage } from './page.ts'
import type { Reading } from './parameters.ts'
import { both, idIn, pathOf } from './path.ts'
import { recordingJson } from './recording-json.ts'
import { timeFilters } from './time-filters.ts'

type TwilioContext = Context<TwilioEnv>

/** Recordings, those of a call among them: list, fetch and delete (https://www.twilio.com/docs/voice/api/recording). */
export function serveRecordings(app: Hono<TwilioEnv>, platform: Platform): void {
  app.on('GET', both('/Accounts/:account/Recordings'), (c) =>
    listRecordings(c, platform, pathOf(c.get('account').id, 'Recordings'), undefined),
  )
  app.on('GET', both('/Accounts/:account/Calls/:call/Recordings'), (c) => listOfCall(c, platform))
  for (const item of [
    '/Accounts/:account/Recordings/:recording',
    '/Accounts/:account/Calls/:call/Recordings/:recording',
  ]) {
    app.get(item, async (c) => {
      const recording = await recordingAsked(c, platform)
      return recording === null ? answerNotFound(c) : c.json(recordingJson(recording, platform.env))
    })
    app.delete(item, async (c) => {
      const recording = await recordingAsked(c, platform)
      if (recording === null) return answerNotFound(c)
      await markRecordingDeleted(platform.db, recording)
      await recordingStore(platform.env).remove(recording.id)
      return c.body(null, 204)
    })
  }
}

/** The files of recordings, `.wav` and `.mp3`. As at Twilio their URL is all that is needed: players and `<Play>` send no
 * credentials, and nobody guesses a SID. The bare RecordingUrl of webhooks, asked without credentials, is the WAV file. */
export function serveMedia(app: Hono<TwilioEnv>, platform: Platform): void {
  for (const folder of ['/Accounts/:account/Recordings', '/Accounts/:account/Calls/:call/Recordings']) {
    app.get(`${folder}/:file{.+\\.(?:wav|mp3)}`, (c) => answerMedia(c, platform, c.req.param('file') ?? ''))
    app.get(`${folder}/:sid{[^.]+}`, async (c, next) => {
      if (c.req.header('Authorization') !== undefined) return next()
      return answerMedia(c, platform, `${c.req.param('sid')}.wav`)
    })
  }
}

async function answerMedia(c: TwilioContext, platform: Platform, file: string): Promise<Response> {
  const [, sid = '', format = ''] = /^(.+)\.(wav|mp3)$/.exec(file) ?? []
  const accountId = fromSid('AC', c.req.param('account') ?? '')
  const id = fromSid('RE', sid)
  const recording = accountId && id && (await recordingOf(platform.db, accountId, id))
  const answer = recording && (await answerFile(platform, recording, format as RecordingFormat))
  return answer || answerNotFound(c)
}

async function answerFile(
  platform: Platform,
  { id }: Recording,
  format: RecordingFormat,
): Promise<Response | null> {
  const file = await openRecording(recordingStore(platform.env), id, format)
  if (file === null) return null
  const headers = {
    'Content-Type': format === 'wav' ? 'audio/x-wav' : 'audio/mpeg',
    'Content-Length': String(file.bytes),
  }
  return new Response(Readable.toWeb(file.body) as ReadableStream<Uint8Array>, { headers })
}

async function listOfCall(c: TwilioContext, platform: Platform): Promise<Response> {
  const accountId = c.get('account').id
  const callId = idIn('CA', c.req.param('call'))
  if (callId === null || (await accountCall(platform.db, accountId, callId)) === null)
    return answerNotFound(c)
  const path = pathOf(accountId, 'Calls', c.req.param('call') ?? '', 'Recordings')
  return listRecordings(c, platform, path, eq(recordings.callId, callId))
}

function listRecordings(
  c: TwilioContext,
  { db, env }: Platform,
  path: string,
  where: SQL | undefined,
): Promise<Response> {
  const accountId = c.get('account').id
  const reading = readQuery(c)
  return answerPage(c, reading, {
    name: 'recordings',
    path,
    prefix: 'RE',
    seq: recordings.seq,
    where: and(where, ...recordingFilters(reading)),
    select: (page) => selectRecordings(db, accountId, page),
    positionOf: (id) => placeOfRecording(db, accountId, id),
    toJson: (recording) => recordingJson(recording, env),
  })
}

function recordingFilters(reading: Reading): SQL[] {
  const callId = callOf(reading, 'CallSid')
  return [
    ...(callId === null ? [] : [eq(recordings.callId, callId)]),
    ...timeFilters(reading, 'DateCreated', recordings.createdAt),
  ]
}

async function recordingAsked(c: TwilioContext, { db }: Platform): Promise<Recording | null> {
  const id = idIn('RE', c.req.param('recording'))
  const recording = id === null ? null : await recordingOf(db, c.get('account').id, id)
  const call = c.req.param('call')
  return call === undefined || recording?.callId === idIn('CA', call) ? recording : null
}
