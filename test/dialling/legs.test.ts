import { asc, eq } from 'drizzle-orm'
import fc from 'fast-check'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { accounts, errorLogs, phoneCalls, webhookRequests } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { playSwitch } from '../support/arrivals.ts'
import { actionsOf, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { updateCall } from '../support/twilio.ts'
import { attributes, itsCall, parts, write } from './dial-parts.ts'

// Whatever a customer writes into a Dial, the dial string that FreeSWITCH gets says what is reckoned here from the parts
// of the document, and nothing else. The parts are made with what must become of them.

let platform: Platform
let apps: { publicApp: Hono; switchApp: Hono }
let tenant: Tenant
let switched: ReturnType<typeof playSwitch>

beforeAll(async () => {
  platform = await createTestPlatform({ WEBHOOK_ALLOW_PRIVATE: 'false', API_SUBDOMAIN: '' })
  apps = createApp(platform)
  switched = playSwitch(platform, apps.switchApp)
  tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'far.example.com', outboundRoutePrefixes: ['1'] })
  await assignNumber(platform, tenant, '14155551234', { sipDomain: '10.0.0.5:5070' })
})
afterAll(() => platform.database.close())

/** What the switch is told to do when the API has given a call this document. */
async function actionsFor(twiml: string) {
  const { id, channelUuid } = (await switched.arrive('14155551234')).call
  const answer = await updateCall(apps.publicApp, platform, tenant, id, { Twiml: twiml })
  const returning = capturedFetch('dialplan-after-gather-digit', {
    ...{ 'Unique-ID': channelUuid, 'Hunt-Destination-Number': id, variable_twiml_at: null },
  })
  const actions = actionsOf(await (await post(apps.switchApp, '/freeswitch/xml', returning)).text())
  const children = await platform.db
    .select()
    .from(phoneCalls)
    .where(eq(phoneCalls.parentCallId, id))
    .orderBy(asc(phoneCalls.seq))
  // The first leg was that of the number's own sip_domain.
  return { taken: answer.status, actions, legs: children.slice(1) }
}

type ReadLeg = { endpoint: string; variables: Record<string, string> }

/** A bridge's data read strictly: nothing may stand between its legs, and no variable twice. */
function readBridge(data: string): ReadLeg[] {
  const leg = /\[([^[\]]*)\]([^[\],|]+|[^[\],|]*\[[0-9a-f:]+\][^[\],|]*)(?:[,|]|$)/y
  const legs: ReadLeg[] = []
  while (leg.lastIndex < data.length) {
    const at = leg.lastIndex
    const [, variables = '', endpoint = ''] = leg.exec(data) ?? expect.fail(`at ${at}: ${data}`)
    const pairs = variables.split(',').map((pair) => pair.split('='))
    for (const pair of pairs) expect(pair, data).toHaveLength(2)
    expect(new Set(pairs.map(([name]) => name)).size, data).toBe(pairs.length)
    legs.push({ endpoint, variables: Object.fromEntries(pairs) })
  }
  return legs
}

/** What of a leg comes from the document; all else must be a variable of ours with a value of ours. */
function ofDocument({ endpoint, variables }: ReadLeg, callId: string): ReadLeg {
  const own = ([name, value]: [string, string]) => ours[name]?.test(value) === true
  const others = Object.entries(variables).filter((variable) => !own(variable))
  return {
    endpoint,
    variables: Object.fromEntries(others.map(([name, value]) => [name, value.replace(callId, itsCall)])),
  }
}

const ours: Record<string, RegExp> = {
  origination_uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  outbound_redirect_fatal: /^true$/,
  sip_copy_custom_headers: /^false$/,
  leg_timeout: /^\d{1,3}$/,
  execute_on_answer_limit: /^sched_hangup \+\d{1,5} ALLOTTED_TIMEOUT$/,
  origination_caller_id_number: /^\+?\d+$/,
  sip_auth_username: /^none$/,
  sip_auth_password: /^none$/,
}

test('each leg of any Dial is what its part of the document says, and nothing of the document stands beside', async () => {
  const seen = { rung: 0, notRung: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(attributes, parts, async (values, targets) => {
      const { taken, actions, legs } = await actionsFor(write(values, targets))
      expect(actions.join('\n')).not.toContain('pwned7f3')
      const refused = targets.some(({ becomes }) => becomes === 'refused')
      expect(taken).toBe(refused ? 400 : 200)
      const bridges = actions.filter((action) => action.startsWith('bridge '))
      const wanted = targets.flatMap(({ becomes }) => (typeof becomes === 'string' ? [] : [becomes]))
      if (refused) {
        // The call keeps the document that it has: that of the number's sip_domain.
        expect(bridges.flatMap((data) => readBridge(data.slice('bridge '.length)))).toMatchObject([
          { endpoint: 'sofia/nat_gateway/sip:14155551234@10.0.0.5:5070' },
        ])
        seen.refused++
        return
      }
      if (wanted.length === 0) {
        expect(bridges).toEqual([])
        expect(actions).toContain('set originate_disposition=NO_ROUTE_DESTINATION')
        seen.notRung++
        return
      }
      seen.rung++
      expect(bridges).toHaveLength(1)
      if (values.callerId !== undefined)
        expect(actions).toContain(`set effective_caller_id_number=${values.callerId}`)
      const rung = readBridge(bridges[0]?.slice('bridge '.length) ?? '')
      // One call each, those that are not rung too; the channel of each that is rung is that of its call.
      expect(legs).toHaveLength(targets.length)
      const open = legs.filter(({ endedAt }) => endedAt === null)
      expect(rung.map(({ variables }) => variables.origination_uuid)).toEqual(
        open.map(({ channelUuid }) => channelUuid),
      )
      expect(rung.map((leg, n) => ofDocument(leg, open[n]?.id ?? ''))).toEqual(wanted)
    }),
    { numRuns: 100 },
  )
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(0)
}, 120_000)

test('a running call of an account that was disabled rings nobody any more, and the carrier is told', async () => {
  const set = (status: 'enabled' | 'disabled') =>
    platform.db.update(accounts).set({ status }).where(eq(accounts.id, tenant.account.id))
  const { call } = await switched.arrive('14155551234')
  const twiml = '<Response><Dial>+14155550199</Dial><Dial><Sip>sip:bob@192.0.2.9</Sip></Dial></Response>'
  await platform.db
    .update(webhookRequests)
    .set({ document: twiml })
    .where(eq(webhookRequests.callId, call.id))
  await set('disabled')
  const actions = await switched.comeBack(call, '0.0', 'NO_ANSWER')
  await set('enabled')
  expect(actions.filter((action) => action.startsWith('bridge'))).toEqual([])
  const logs = await platform.db.select().from(errorLogs).where(eq(errorLogs.callId, call.id))
  expect(logs.map(({ type, message }) => [type, message])).toEqual([
    ['dial.account_disabled', 'The account is disabled: <Dial> rings nobody.'],
  ])
})
