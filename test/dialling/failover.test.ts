import { asc, eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { hearChannel } from '../../src/channels/events.ts'
import { accounts, phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { type PlayedCall, playSwitch } from '../support/arrivals.ts'
import { eventually } from '../support/eventually.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { startWebhooks } from '../support/webhooks.ts'

let platform: Platform
let tenant: Tenant
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
let switched: ReturnType<typeof playSwitch>

const documents = {
  '/one': '<Response><Dial action="/over">+14155550001</Dial></Response>',
  '/two':
    '<Response><Dial action="/over"><Number>+14155550001</Number><Number>+16505550001</Number></Dial></Response>',
  '/in-turn': '<Response><Dial action="/over" sequential="true">+14155550001</Dial></Response>',
  '/over': '<Response><Hangup/></Response>',
  '/client': '<Response><Dial>+18555550001</Dial></Response>',
}

beforeAll(async () => {
  platform = await createTestPlatform()
  switched = playSwitch(platform, createApp(platform).switchApp)
  webhooks = await startWebhooks(documents)
  tenant = await createTenant(platform)
  const { db } = platform
  await db.update(accounts).set({ failover: true }).where(eq(accounts.id, tenant.account.id))
  await createTrunk(platform, tenant, { name: 'Inbound' })
  for (const [host, outboundRoutePrefixes] of [
    ['first.example.com', ['1415']],
    ['second.example.com', ['1']],
    ['third.example.com', []],
  ] as const)
    await createTrunk(platform, tenant, {
      ...{
        name: host,
        outboundHost: host,
        outboundRoutePrefixes: [...outboundRoutePrefixes],
        sourceIps: ['192.0.2.1'],
      },
    })
  await createTrunk(platform, tenant, {
    ...{ name: 'client', authenticationMode: 'client_credentials', outboundRoutePrefixes: ['1855'] },
  })
  for (const [index, path] of Object.keys(documents).entries())
    await assignNumber(platform, tenant, `1212555000${index}`, { voiceUrl: webhooks.url(path) })
})
afterAll(async () => {
  await webhooks.close()
  await platform.database.close()
})

const bridged = (actions: string[]) => {
  const bridge = actions.find((action) => action.startsWith('bridge ')) ?? ''
  return [...bridge.matchAll(/sip:(\d+)@(\w+)\.example\.com/g)].map(([, number, host]) => `${number} ${host}`)
}

async function arrive(path: keyof typeof documents) {
  const { call, actions } = await switched.arrive(`1212555000${Object.keys(documents).indexOf(path)}`)
  return { ...call, rung: bridged(actions) }
}
const comeBack = async (call: PlayedCall, disposition: string) =>
  bridged(await switched.comeBack(call, '1.0', disposition))

const legsOf = ({ id }: { id: string }) =>
  platform.db.select().from(phoneCalls).where(eq(phoneCalls.parentCallId, id)).orderBy(asc(phoneCalls.seq))

/** The newest leg ends, as its channel tells. */
async function legEnds(call: { id: string }, cause: string, sipCode: number, rang = false) {
  const leg = (await legsOf(call)).at(-1)
  const at = new Date()
  await hearChannel(platform, {
    ...{ kind: 'channel-ended', channelUuid: leg?.channelUuid ?? '', at, cause, sipCode },
    ...{ ringingAt: rang ? at : null, answeredAt: null },
  })
}

const asked = () => webhooks.asked.filter(({ path }) => path === '/over').length

test('a trunk on which nobody was reached is followed by the next, and each try is a call', async () => {
  const before = asked()
  const call = await arrive('/one')
  expect(call.rung).toEqual(['14155550001 first'])
  await legEnds(call, 'NORMAL_TEMPORARY_FAILURE', 503)
  expect(await comeBack(call, 'NORMAL_TEMPORARY_FAILURE')).toEqual(['14155550001 second'])
  // Its gateway is down: no channel, no event.
  expect(await comeBack(call, 'GATEWAY_DOWN')).toEqual(['14155550001 third'])
  expect(asked()).toBe(before)
  await legEnds(call, 'RECOVERY_ON_TIMER_EXPIRE', 408)
  expect(await comeBack(call, 'RECOVERY_ON_TIMER_EXPIRE')).toEqual([])
  expect(webhooks.asked.at(-1)).toMatchObject({ path: '/over', fields: { DialCallStatus: 'failed' } })
  await eventually(async () =>
    expect((await legsOf(call)).map(({ status }) => status)).toEqual(['failed', 'failed', 'failed']),
  )
})

test('whoever was reached, by ringing or by a refusal, is not called again', async () => {
  for (const [cause, sipCode, rang] of [
    ['USER_BUSY', 486, false],
    ['UNALLOCATED_NUMBER', 404, false],
    ['CALL_REJECTED', 603, false],
    ['NORMAL_TEMPORARY_FAILURE', 503, true],
    ['NO_ANSWER', 487, true],
  ] as const) {
    const call = await arrive('/one')
    await legEnds(call, cause, sipCode, rang)
    expect([cause, await comeBack(call, cause)]).toEqual([cause, []])
  }
})

test('of several only those are rung again that another trunk leads to, once all have failed', async () => {
  const call = await arrive('/two')
  expect(call.rung).toEqual(['14155550001 first', '16505550001 second'])
  await platform.db
    .update(phoneCalls)
    .set({ sipResponseCode: 503 })
    .where(eq(phoneCalls.parentCallId, call.id))
  expect(await comeBack(call, 'GATEWAY_DOWN')).toEqual(['14155550001 second', '16505550001 third'])
  expect(await comeBack(call, 'GATEWAY_DOWN')).toEqual(['14155550001 third'])
  expect(await comeBack(call, 'GATEWAY_DOWN')).toEqual([])
})

test('not in turn, and not where the carrier has not switched it on', async () => {
  const inTurn = await arrive('/in-turn')
  expect(await comeBack(inTurn, 'GATEWAY_DOWN')).toEqual([])
  await platform.db.update(accounts).set({ failover: false }).where(eq(accounts.id, tenant.account.id))
  const call = await arrive('/one')
  await legEnds(call, 'NORMAL_TEMPORARY_FAILURE', 503)
  expect(await comeBack(call, 'NORMAL_TEMPORARY_FAILURE')).toEqual([])
})

test('a trunk whose client is not registered is passed over, where the account has failover', async () => {
  const switchFailover = (failover: boolean) =>
    platform.db.update(accounts).set({ failover }).where(eq(accounts.id, tenant.account.id))
  await switchFailover(true)
  expect((await arrive('/client')).rung).toEqual(['18555550001 second'])
  await switchFailover(false)
  expect((await arrive('/client')).rung).toEqual([])
})
