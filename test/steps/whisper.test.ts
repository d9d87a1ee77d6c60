import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { playSwitch } from '../support/arrivals.ts'
import { eventually } from '../support/eventually.ts'
import { actionsOf, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { startWebhooks } from '../support/webhooks.ts'

// The TwiML of a Dial's `<Number url>`, which runs within the Dial that rings the leg.

let platform: Platform
let app: Hono
let tenant: Tenant
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
let switched: ReturnType<typeof playSwitch>

const delays: Record<string, number> = {}
const dials = (whisper: string) =>
  `<Response><Dial><Number url="${whisper}">+14155550001</Number></Dial></Response>`
const documents: Record<string, string> = {
  '/dial-slow': dials('/slow'),
  '/slow': '<Response><Pause length="1"/></Response>',
  '/dial-ask': dials('/ask'),
  '/ask': '<Response><Gather timeout="1" numDigits="1" action="/late"/><Hangup/></Response>',
  '/late': '<Response/>',
}

beforeAll(async () => {
  platform = await createTestPlatform()
  app = createApp(platform).switchApp
  switched = playSwitch(platform, app)
  webhooks = await startWebhooks(documents, delays)
  tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'pbx.example.com' })
  for (const [index, path] of ['/dial-slow', '/dial-ask'].entries())
    await assignNumber(platform, tenant, `1415555111${index}`, { voiceUrl: webhooks.url(path) })
})
afterAll(async () => {
  await webhooks.close()
  await platform.database.close()
})

/** The answered leg of a call to a number, as the Dial that rings it has it ask us. */
async function answeredLeg(number: string) {
  const { call } = await switched.arrive(number)
  const [leg] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.parentCallId, call.id))
  if (leg?.channelUuid == null) throw new Error('The Dial has a leg.')
  const { id, channelUuid } = leg
  const ask = async (at: string | null, variables: Record<string, string> = {}) => {
    const fetch = capturedFetch('dialplan-outbound-answered', {
      ...{ 'Unique-ID': channelUuid, 'Hunt-Destination-Number': id, variable_twiml_at: at, ...variables },
    })
    return actionsOf(await (await post(app, '/freeswitch/xml', fetch)).text())
  }
  return { id, parentId: call.id, ask }
}

const preamble = ['set app_disable_expand_variables=true', 'set max_session_transfers=10000']
const within = (id: string) => `execute_extension ${id} XML twiml`

test('a slow webhook of a whisper is waited for within the Dial, in few long waits', async () => {
  delays['/slow'] = 2500
  const leg = await answeredLeg('14155551110')
  const waiting = (ms: number) => [
    ...[...preamble, `playback silence_stream://${ms}`, 'set twiml_at=1.start'],
    within(leg.id),
  ]
  expect(await leg.ask(null)).toEqual(waiting(1000))
  expect(await leg.ask('1.start')).toEqual(waiting(1000))
  await eventually(async () =>
    expect(await leg.ask('1.start')).toEqual([
      ...[...preamble, 'set playback_terminators=none', 'playback silence_stream://1000'],
    ]),
  )
})

test('so is the slow action of a Gather in a whisper', async () => {
  delays['/late'] = 1800
  const leg = await answeredLeg('14155551111')
  expect((await leg.ask(null)).slice(-2)).toEqual([
    expect.stringMatching(/^play_and_get_digits /),
    within(leg.id),
  ])
  expect(await leg.ask('1.0', { variable_digits: '1' })).toEqual([
    ...[...preamble, 'playback silence_stream://1000', 'set twiml_at=2.start'],
    within(leg.id),
  ])
})
