import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
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
      '<Response><Record action="/recorded" recordingStatusCallback="/told" trim="do-not-trim" playBeep="false"/></Response>',
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

test('a Record is uploaded by its unguessable URL, told to its callback and given to its action', async () => {
  const actions = actionsOf(
    await (await post(app, '/freeswitch/xml', capturedFetch('dialplan-inbound-source-ip'))).text(),
  )
  const url = actions.map((action) => /http_cache:\/\/(\S+)/.exec(action)?.[1]).find((found) => found)
  const path = new URL(url ?? '').pathname
  expect(path).toMatch(/^\/freeswitch\/recordings\/[A-Za-z0-9]{32}\.wav$/)

  const put = (to: string, body: Buffer) => app.request(to, { method: 'PUT', body: new Uint8Array(body) })
  expect((await put('/freeswitch/recordings/x.wav', tone())).status).toBe(404)
  expect((await put(`/freeswitch/recordings/${'a'.repeat(32)}.wav`, tone())).status).toBe(404)
  expect((await put(path, tone())).status).toBe(201)
  expect((await put(path, tone())).status).toBe(404)
  expect(await platform.db.select().from(recordings)).toMatchObject([
    { status: 'completed', duration: 2, channels: 1 },
  ])
  expect(await platform.db.select().from(statusCallbacks)).toMatchObject([
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
