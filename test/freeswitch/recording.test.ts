import { desc, eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { recordingStore } from '../../src/audio/recording-store.ts'
import { markRecordingDeleted } from '../../src/calls/recording-queries.ts'
import { keepUpload } from '../../src/calls/recordings.ts'
import { hearChannel } from '../../src/channels/events.ts'
import { phoneCalls, recordings, statusCallbacks } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { actionsOf, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk } from '../support/rows.ts'
import { startWebhooks } from '../support/webhooks.ts'

let platform: Platform
let app: Hono
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
const channel = 'b9302242-cc63-43a0-a8a0-0f21eec96a9b'

beforeAll(async () => {
  platform = await createTestPlatform()
  app = createApp(platform).switchApp
  webhooks = await startWebhooks({
    '/voice':
      '<Response><Record action="/recorded" recordingStatusCallback="/told" trim="do-not-trim" playBeep="false"' +
      ' recordingStatusCallbackEvent="in-progress completed"/></Response>',
    '/recorded': '<Response><Hangup/></Response>',
  })
  const tenant = await createTenant(platform)
  await createTrunk(platform, tenant)
  await assignNumber(platform, tenant, '14155551234', { voiceUrl: webhooks.url('/voice') })
})
afterAll(async () => {
  await webhooks.close()
  await platform.database.close()
})

// Two seconds of a tone, 8 kHz, 16 bits.
function tone(): Buffer {
  const samples = Buffer.alloc(32000)
  for (let n = 0; n < 16000; n++) samples.writeInt16LE(Math.round(8000 * Math.sin(n / 3)), n * 2)
  const header = Buffer.alloc(44)
  header.write('RIFF', 0)
  header.writeUInt32LE(36 + samples.length, 4)
  header.write('WAVEfmt ', 8)
  for (const [at, value] of [
    [16, 16],
    [24, 8000],
    [28, 16000],
    [40, samples.length],
  ] as const)
    header.writeUInt32LE(value, at)
  for (const [at, value] of [
    [20, 1],
    [22, 1],
    [32, 2],
    [34, 16],
  ] as const)
    header.writeUInt16LE(value, at)
  header.write('data', 36)
  return Buffer.concat([header, samples])
}

/** A call that records: the file that FreeSWITCH is told to write. */
async function recordingCall(channelUuid: string): Promise<string> {
  const fetch = capturedFetch('dialplan-inbound-source-ip', { 'Unique-ID': channelUuid })
  const actions = actionsOf(await (await post(app, '/freeswitch/xml', fetch)).text())
  return actions.map((action) => /(http_cache:\S+)/.exec(action)?.[1]).find((found) => found) ?? ''
}
const put = (to: string, body: Buffer) => app.request(to, { method: 'PUT', body: new Uint8Array(body) })

test('a Record is uploaded by its unguessable URL, told to its callback and given to its action', async () => {
  const path = new URL((await recordingCall(channel)).replace('http_cache://', '')).pathname
  expect(path).toMatch(/^\/freeswitch\/recordings\/[A-Za-z0-9]{32}\.wav$/)
  expect((await put('/freeswitch/recordings/x.wav', tone())).status).toBe(404)
  expect((await put(`/freeswitch/recordings/${'a'.repeat(32)}.wav`, tone())).status).toBe(404)
  expect((await put(path, tone())).status).toBe(201)
  expect((await put(path, tone())).status).toBe(404)
  expect(await platform.db.select().from(recordings)).toMatchObject([
    { status: 'completed', duration: 2, channels: 1 },
  ])
  expect(await platform.db.select().from(statusCallbacks)).toMatchObject([
    // The switch has not said that it began.
    { params: { RecordingStatus: 'in-progress' } },
    {
      url: webhooks.url('/told'),
      params: { RecordingStatus: 'completed', RecordingDuration: '2', RecordingSource: 'RecordVerb' },
    },
  ])

  const [call] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.channelUuid, channel))
  await post(
    app,
    '/freeswitch/xml',
    capturedFetch('dialplan-after-gather-digit', {
      'Unique-ID': channel,
      'Hunt-Destination-Number': call?.id ?? '',
      variable_twiml_at: '1.0',
      variable_playback_terminator_used: '#',
    }),
  )
  expect(webhooks.asked.at(-1)).toMatchObject({
    path: '/recorded',
    fields: {
      RecordingDuration: '2',
      Digits: '#',
      RecordingUrl: expect.stringMatching(/\/Recordings\/RE[0-9a-f]{32}$/),
    },
  })
})

test('an upload that breaks off leaves no recording that is for ever about to come', async () => {
  const path = await recordingCall('00000000-0000-4000-8000-000000000002')
  const key = /(\w{32})\.wav$/.exec(path)?.[1] ?? ''
  const broken = async function* () {
    yield tone().subarray(0, 1000)
    throw new Error('The connection is gone.')
  }
  expect(await keepUpload(platform, key, broken())).toEqual({ problem: 'The file could not be kept.' })
  const [recording] = await platform.db.select().from(recordings).where(eq(recordings.uploadKey, key))
  expect(recording).toMatchObject({ status: 'absent', duration: 0 })
})

test('a recording that is deleted while its file comes stays deleted, and its file goes', async () => {
  const path = await recordingCall('00000000-0000-4000-8000-000000000003')
  const uploadKey = /(\w{32})\.wav$/.exec(path)?.[1] ?? ''
  const stored = async () =>
    (await platform.db.select().from(recordings).where(eq(recordings.uploadKey, uploadKey)))[0]
  const coming = async function* () {
    yield tone()
    const { id = '', accountId = '' } = (await stored()) ?? {}
    await markRecordingDeleted(platform.db, { id, accountId })
  }
  await keepUpload(platform, uploadKey, coming())
  const recording = await stored()
  expect(recording?.status).toBe('deleted')
  expect(await recordingStore(platform.env).open(recording?.id ?? '', 'wav')).toBeNull()
})

test('that it begins is told once, when the switch says so', async () => {
  const channelUuid = '00000000-0000-4000-8000-000000000001'
  const path = await recordingCall(channelUuid)
  const at = new Date('2026-11-27T10:00:00Z')
  const started = { kind: 'recording-started' as const, channelUuid, path, at }
  for (const event of [started, { ...started, at: new Date() }]) await hearChannel(platform, event)
  for (const other of ['/x.wav', path.replace(/\w{32}/, 'a'.repeat(32)), path.replace('.wav', '.mp3')])
    await hearChannel(platform, { ...started, path: other })
  const [recording] = await platform.db.select().from(recordings).orderBy(desc(recordings.seq)).limit(1)
  const told = () =>
    platform.db
      .select({ params: statusCallbacks.params })
      .from(statusCallbacks)
      .where(eq(statusCallbacks.orderKey, recording?.id ?? ''))
      .orderBy(statusCallbacks.seq)
  const { RecordingDuration, ...params } = (await told())[0]?.params ?? {}
  expect(RecordingDuration).toBeUndefined()
  expect(params).toMatchObject({
    ...{ RecordingStatus: 'in-progress', RecordingChannels: '1', RecordingSource: 'RecordVerb' },
    RecordingStartTime: 'Fri, 27 Nov 2026 10:00:00 +0000',
  })
  expect((await put(new URL(path.replace('http_cache://', '')).pathname, tone())).status).toBe(201)
  // By now it is too late to say it.
  await hearChannel(platform, started)
  expect((await told()).map(({ params: { RecordingStatus } }) => RecordingStatus)).toEqual([
    'in-progress',
    'completed',
  ])
})
