import { and, eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { dropReturn } from '../../src/calls/wish-queries.ts'
import { phoneCalls, recordings } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { type PlayedCall, playSwitch } from '../support/arrivals.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { updateCall } from '../support/twilio.ts'
import { startWebhooks } from '../support/webhooks.ts'

// What becomes of a call that the API has taken out of what it did.

let platform: Platform
let apps: { publicApp: Hono; switchApp: Hono }
let tenant: Tenant
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
let switched: ReturnType<typeof playSwitch>

beforeAll(async () => {
  platform = await createTestPlatform({ API_SUBDOMAIN: '' })
  apps = createApp(platform)
  switched = playSwitch(platform, apps.switchApp)
  webhooks = await startWebhooks({
    '/recorded': '<Response><Dial record="record-from-ringing">+14155550001</Dial></Response>',
  })
  tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'pbx.example.com' })
  await assignNumber(platform, tenant, '14155551234', { voiceUrl: webhooks.url('/recorded') })
})
afterAll(async () => {
  await webhooks.close()
  await platform.database.close()
})

async function update({ id }: PlayedCall, twiml: string): Promise<void> {
  const answer = await updateCall(apps.publicApp, platform, tenant, id, { Twiml: twiml })
  expect(answer.status).toBe(200)
}

const recordingOf = ({ id }: PlayedCall, source: 'DialVerb' | 'OutboundAPI') =>
  and(eq(recordings.callId, id), eq(recordings.source, source))

const preamble = ['set app_disable_expand_variables=true', 'set max_session_transfers=10000']
const silence = (seconds: number) => [
  'set playback_terminators=none',
  `playback silence_stream://${seconds * 1000}`,
  'hangup NORMAL_CLEARING',
]
const pause = (seconds: number) => `<Response><Pause length="${seconds}"/></Response>`

test('the recording of a Dial that the API leaves ends with it, once; that of the whole call goes on', async () => {
  const { call, actions } = await switched.arrive('14155551234')
  const begun = actions.find((action) => action.startsWith('record_session ')) ?? ''
  expect(begun).toMatch(/^record_session http_cache:\/\/http:\S+\/freeswitch\/recordings\/\w{32}\.wav$/)
  await platform.db.insert(recordings).values({
    ...{ accountId: tenant.account.id, callId: call.id, status: 'in-progress', source: 'OutboundAPI' },
    ...{ uploadKey: 'whole', uploadUrl: 'http://127.0.0.1:3001/freeswitch/recordings/whole.wav' },
  })
  await update(call, pause(1))
  expect(await switched.comeBack(call, '1.0', '')).toEqual([...preamble, `stop_${begun}`, ...silence(1)])

  await update(call, pause(2))
  await platform.db.update(recordings).set({ status: 'completed' }).where(recordingOf(call, 'DialVerb'))
  expect(await switched.comeBack(call, '1.0', '')).toEqual([...preamble, ...silence(2)])
})

test('a recording is ended by the URL that it was begun with, whichever process is asked then', async () => {
  const { call } = await switched.arrive('14155551234')
  const uploadUrl = 'http://other:3001/freeswitch/recordings/x.wav'
  await platform.db.update(recordings).set({ uploadUrl }).where(recordingOf(call, 'DialVerb'))
  await update(call, pause(1))
  expect(await switched.comeBack(call, '1.0', '')).toContain(`stop_record_session http_cache://${uploadUrl}`)
})

test('a call that comes back by itself has left nothing', async () => {
  const { call, actions } = await switched.arrive('14155551234')
  const ended = actions.filter((action) => action.startsWith('stop_record_session'))
  expect(ended).toHaveLength(1)
  const next = await switched.comeBack(call, '1.0', 'USER_BUSY')
  expect(next.filter((action) => action.startsWith('stop_record_session'))).toEqual([])
})

test('what the API wants is not forgotten by a call that comes back for an older document', async () => {
  const { call } = await switched.arrive('14155551234')
  await update(call, pause(1))
  const wishes = async () => {
    const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.id, call.id))
    return row?.instructions.wish
  }
  // As if the next change came while the call was asking.
  await dropReturn(platform.db, { id: call.id, step: 1 })
  expect(await wishes()).toBe('come back')
  await dropReturn(platform.db, { id: call.id, step: 2 })
  expect(await wishes()).toBeUndefined()
})
