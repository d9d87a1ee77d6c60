import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toSid } from '../../src/accounts/account.ts'
import { createApp } from '../../src/app.ts'
import { errorLogs, phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { playSwitch } from '../support/arrivals.ts'
import { eventually } from '../support/eventually.ts'
import { actionsOf, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { updateCall } from '../support/twilio.ts'
import { startWebhooks } from '../support/webhooks.ts'

// The TwiML of a Dial's `<Number url>`, which runs within the Dial that rings the leg.

let platform: Platform
let apps: { publicApp: Hono; switchApp: Hono }
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
  '/dial-loop': dials('/loop'),
  '/loop':
    '<Response><Gather timeout="1" numDigits="1" action="/late"/><Redirect>/loop</Redirect></Response>',
}

beforeAll(async () => {
  platform = await createTestPlatform({ API_SUBDOMAIN: '' })
  apps = createApp(platform)
  switched = playSwitch(platform, apps.switchApp)
  webhooks = await startWebhooks(documents, delays)
  tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'pbx.example.com' })
  for (const [index, path] of ['/dial-slow', '/dial-ask', '/dial-loop'].entries())
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
    return actionsOf(await (await post(apps.switchApp, '/freeswitch/xml', fetch)).text())
  }
  const update = async (fields: Record<string, string>) => {
    const answer = await updateCall(apps.publicApp, platform, tenant, id, fields)
    expect(answer.status).toBe(200)
  }
  return { id, parentId: call.id, ask, update }
}

const preamble = ['set app_disable_expand_variables=true', 'set max_session_transfers=10000']
const within = (id: string) => `execute_extension ${id} XML twiml`

test('a slow webhook of a whisper is waited for within the Dial, in few long waits', async () => {
  delays['/slow'] = 2500
  const leg = await answeredLeg('14155551110')
  const waiting = (ms: number, depth: number) => [
    ...[...preamble, `playback silence_stream://${ms}`, `set twiml_at=1.start@${depth}`],
    within(leg.id),
  ]
  expect(await leg.ask(null)).toEqual(waiting(1000, 1))
  expect(await leg.ask('1.start@1')).toEqual(waiting(1000, 2))
  await eventually(async () =>
    expect(await leg.ask('1.start@2')).toEqual([
      ...[...preamble, 'set playback_terminators=none', 'playback silence_stream://1000'],
    ]),
  )
})

test('each webhook of a leg is told whose leg it is, also once it goes on by itself', async () => {
  delays['/late'] = 0
  const leg = await answeredLeg('14155551111')
  const ParentCallSid = toSid('CA', leg.parentId)
  const asked = () => webhooks.asked.at(-1)
  expect(asked()).toMatchObject({ path: '/dial-ask', fields: { CallSid: ParentCallSid } })
  expect(asked()?.fields).not.toHaveProperty('ParentCallSid')
  const fields = { CallSid: toSid('CA', leg.id), ParentCallSid, Direction: 'outbound-dial' }
  await leg.ask(null)
  expect(asked()).toMatchObject({ path: '/ask', fields })
  await leg.ask('1.0@1', { variable_digits: '1' })
  expect(asked()).toMatchObject({ path: '/late', fields: { ...fields, Digits: '1' } })
  await leg.update({ Url: webhooks.url('/ask') })
  await eventually(() => expect(asked()).toMatchObject({ path: '/ask', fields }))
})

test('so is the slow action of a Gather in a whisper', async () => {
  delays['/late'] = 1800
  const leg = await answeredLeg('14155551111')
  expect((await leg.ask(null)).slice(-2)).toEqual([
    expect.stringMatching(/^play_and_get_digits /),
    within(leg.id),
  ])
  expect(await leg.ask('1.0@1', { variable_digits: '1' })).toEqual([
    ...[...preamble, 'playback silence_stream://1000', 'set twiml_at=2.start@2'],
    within(leg.id),
  ])
})

const placeSet = (actions: readonly string[]) =>
  actions.flatMap((action) => /^set twiml_at=(.*)$/.exec(action)?.[1] ?? []).at(-1) ?? null

test('a whisper that asks for ever is hung up, long before FreeSWITCH would let it through unanswered', async () => {
  const leg = await answeredLeg('14155551112')
  let actions = await leg.ask(null)
  let parts = 1
  for (; actions.at(-1) === within(leg.id); parts++) actions = await leg.ask(placeSet(actions))
  expect(actions.slice(2)).toEqual([
    'set playback_terminators=none',
    expect.stringMatching(/^playback http:/),
    'hangup NORMAL_CLEARING',
  ])
  expect(parts).toBe(25)
  expect(webhooks.asked.filter(({ path }) => path === '/loop')).toHaveLength(12)
  const logs = await platform.db.select().from(errorLogs).where(eq(errorLogs.callId, leg.id))
  expect(logs.map(({ message }) => message)).toEqual([
    'The TwiML of the call cannot be run. A leg has 24 steps before it is joined; after them it was hung up, and joined with nobody.',
  ])
})

test('a leg that the API has led elsewhere goes on by itself, however often it comes back', async () => {
  const leg = await answeredLeg('14155551112')
  expect((await leg.ask(null)).at(-1)).toBe(within(leg.id))
  await leg.update({
    Twiml: `<Response><Pause length="1"/><Redirect>${webhooks.url('/loop')}</Redirect></Response>`,
  })
  const byItself = `transfer ${leg.id} XML twiml`
  expect(await leg.ask('1.0@1')).toEqual([
    ...[...preamble, 'set playback_terminators=none', 'playback silence_stream://1000', 'set twiml_at=2.1'],
    byItself,
  ])
  let at: string | null = '2.1'
  for (let parts = 0; parts < 40; parts++) {
    const actions = await leg.ask(at)
    expect(actions.at(-1)).toBe(byItself)
    at = placeSet(actions)
  }
})

test('a leg that is led elsewhere is not joined at the end of its document but hung up', async () => {
  const leg = await answeredLeg('14155551112')
  await leg.ask(null)
  await leg.update({ Twiml: '<Response><Pause length="1"/></Response>' })
  expect((await leg.ask('1.0@1')).at(-1)).toBe('hangup NORMAL_CLEARING')
})
