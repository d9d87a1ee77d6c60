import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { errorLogs, phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { type PlayedCall, playSwitch } from '../support/arrivals.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { updateCall } from '../support/twilio.ts'

// Which caller ids a Dial may show: numbers of the account, the call's own, and what is no number.

let platform: Platform
let apps: { publicApp: Hono; switchApp: Hono }
let tenant: Tenant
let call: PlayedCall
let switched: ReturnType<typeof playSwitch>

beforeAll(async () => {
  platform = await createTestPlatform({ API_SUBDOMAIN: '' })
  apps = createApp(platform)
  switched = playSwitch(platform, apps.switchApp)
  tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'far.example.com', outboundPlusPrefix: true })
  await assignNumber(platform, tenant, '14155551234', { sipDomain: 'pbx.example.com' })
  await assignNumber(platform, tenant, '442071838750', {})
  await assignNumber(platform, tenant, '1294', {})
  const other = await createTenant(platform)
  await assignNumber(platform, other, '12125550000', {})
  ;({ call } = await switched.arrive('14155551234'))
})
afterAll(() => platform.database.close())

/** What the legs of a Dial show of the caller, through a trunk and at a SIP URI; none: it was not dialled. */
async function shown(callerId: string) {
  const dial = `<Dial callerId="${callerId}"><Number>+16505550001</Number><Sip>sip:bob@far.example.com</Sip></Dial>`
  const answer = await updateCall(apps.publicApp, platform, tenant, call.id, {
    Twiml: `<Response>${dial}</Response>`,
  })
  expect(answer.status).toBe(200)
  const actions = (await switched.comeBack(call, '', '')).join('\n')
  const values = [...actions.matchAll(/(?:origination|effective)_caller_id_number=([^,\]\n]*)/g)]
  return [...new Set(values.map(([, value]) => value))]
}

const refusals = async () =>
  (await platform.db.select().from(errorLogs).where(eq(errorLogs.callId, call.id))).filter(
    ({ type }) => type === 'dial.caller_id',
  )

test.each([
  ['+14155551234', ['+14155551234']],
  ['+1 (415) 555-1234', ['+14155551234']],
  ['14155551234', ['14155551234', '+14155551234']],
  ['+442071838750', ['+442071838750']],
  // The caller's own number, as it came.
  ['+19175551234', ['+19175551234']],
  ['19175551234', ['19175551234', '+19175551234']],
  ['1294', ['1294']],
  ['6703', ['6703']],
  ['101', ['101']],
  ['+6703', ['+6703']],
  ['*98', ['*98']],
  ['123456', ['123456']],
  ['anonymous', ['anonymous']],
  ['front-desk.2', ['front-desk.2']],
  ['room101', ['room101']],
])('%s is shown', async (callerId, values) => {
  const before = (await refusals()).length
  expect(await shown(callerId)).toEqual(values)
  expect(await refusals()).toHaveLength(before)
})

test.each([
  '+12125550000',
  '12125550000',
  '2125550000',
  '5550000',
  '+12125550000#',
  '*12125550000',
  '*67*12125550000',
  '1#2125550000',
  '01112125550000',
  '0012125550000',
  '1.212.555.0000',
  '1-212_555_0000',
  'x12125550000',
  '1x2125550000',
  '+14155551234#',
  '4155551234',
  '911',
  '+911',
  '911#',
  '*112',
  '9.9.9',
])('%s is refused', async (callerId) => {
  const before = await refusals()
  expect(await shown(callerId)).toEqual([])
  const after = await refusals()
  expect(after).toHaveLength(before.length + 1)
  expect(after.at(-1)?.details).toMatchObject({ code: 21210, line: 1 })
})

test.each(['911', '2125550000', '+12125550000#'])(
  '%s is shown by a call whose own number it is',
  async (from) => {
    await platform.db.update(phoneCalls).set({ from }).where(eq(phoneCalls.id, call.id))
    expect(await shown(from)).toContain(from)
  },
)
