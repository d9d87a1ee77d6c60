import { setTimeout as pause } from 'node:timers/promises'
import { asc, eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toSid } from '../../src/accounts/account.ts'
import { createApp } from '../../src/app.ts'
import { hearChannel } from '../../src/channels/events.ts'
import { phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { type PlayedCall, playSwitch } from '../support/arrivals.ts'
import { eventually } from '../support/eventually.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk } from '../support/rows.ts'
import { startWebhooks } from '../support/webhooks.ts'

// FreeSWITCH asks what comes after a Dial before, or long after, it tells how the legs of it ended.

let platform: Platform
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
let play: ReturnType<typeof playSwitch>

const number = (n: number) => `<Number>+1415555000${n}</Number>`
const documents = {
  '/one': `<Response><Dial action="/dialled">${number(1)}</Dial></Response>`,
  '/three': `<Response><Dial action="/dialled">${number(1)}${number(2)}${number(3)}</Dial></Response>`,
  '/in-turn': `<Response><Dial action="/dialled" sequential="true">${number(1)}${number(2)}${number(3)}</Dial></Response>`,
  '/dialled': '<Response><Pause/></Response>',
}

beforeAll(async () => {
  platform = await createTestPlatform()
  play = playSwitch(platform, createApp(platform).switchApp)
  webhooks = await startWebhooks(documents)
  const tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'pbx.example.com' })
  for (const [index, path] of Object.keys(documents).entries())
    await assignNumber(platform, tenant, `1415555111${index}`, { voiceUrl: webhooks.url(path) })
})
afterAll(async () => {
  await webhooks.close()
  await platform.database.close()
})

const selectLegs = (parentId: string) =>
  platform.db
    .select()
    .from(phoneCalls)
    .where(eq(phoneCalls.parentCallId, parentId))
    .orderBy(asc(phoneCalls.seq))

/** A call that has begun to dial, with its legs' channels. */
async function dial(path: keyof typeof documents) {
  const { call } = await play.arrive(`1415555111${Object.keys(documents).indexOf(path)}`)
  const legs = (await selectLegs(call.id)).map(({ id, channelUuid }) => ({ id, uuid: channelUuid ?? '' }))
  return { id: call.id, channelUuid: call.channelUuid, legs }
}

/** The call comes back from its Dial; what its action was told. */
async function comeBack(
  call: PlayedCall,
  { disposition, joined, causes }: { disposition: string; joined?: string; causes?: string },
) {
  webhooks.asked.length = 0
  await play.comeBack(call, '1.0', disposition, {
    ...(joined === undefined ? {} : { variable_bridge_uuid: joined }),
    ...(causes === undefined ? {} : { variable_originate_causes: causes }),
  })
  const told = () => webhooks.asked.find(({ path }) => path === '/dialled')?.fields
  await eventually(() => expect(told()).toBeDefined())
  return told()
}

const endsWith = (uuid: string, cause: string, answeredAt: Date | null = null) =>
  hearChannel(platform, {
    ...{ kind: 'channel-ended', channelUuid: uuid, at: new Date(), cause, sipCode: null },
    ...{ ringingAt: null, answeredAt },
  })

const statuses = async ({ id }: { id: string }) => (await selectLegs(id)).map(({ status }) => status)
const severalCauses = (...told: string[]) =>
  told.length === 1 ? (told[0] ?? '') : `ARRAY::${told.join('|:')}`

test('the action waits for the word of a leg that was joined, and tells its seconds', async () => {
  const call = await dial('/one')
  const [leg] = call.legs
  if (leg === undefined) throw new Error('The Dial has a leg.')
  const asked = comeBack(call, {
    ...{ disposition: 'SUCCESS', joined: leg.uuid, causes: `${leg.uuid};NONE` },
  })
  await pause(100)
  expect(webhooks.asked).toEqual([])
  await endsWith(leg.uuid, 'NORMAL_CLEARING', new Date(Date.now() - 42_500))
  expect(await asked).toMatchObject({
    ...{ DialCallStatus: 'completed', DialCallSid: toSid('CA', leg.id), DialCallDuration: '42' },
  })
})

test('and for the word of one that was not: it tells whose it is', async () => {
  const call = await dial('/one')
  const [leg] = call.legs
  if (leg === undefined) throw new Error('The Dial has a leg.')
  const variables = { disposition: 'USER_BUSY', causes: `${leg.uuid};USER_BUSY` }
  const asked = comeBack(call, variables)
  await pause(100)
  expect(webhooks.asked).toEqual([])
  await endsWith(leg.uuid, 'USER_BUSY')
  const told = await asked
  expect(told).toMatchObject({ DialCallStatus: 'busy', DialCallSid: toSid('CA', leg.id) })
  expect(told).not.toHaveProperty('DialCallDuration')
  expect((await selectLegs(call.id))[0]).toMatchObject({ status: 'busy', hangupCause: 'USER_BUSY' })
})

test('a word that does not come is not waited for: what the switch told with its question counts', async () => {
  const call = await dial('/three')
  const [first, second, third] = call.legs.map(({ uuid }) => uuid)
  const told = await comeBack(call, {
    ...{ disposition: 'USER_BUSY' },
    causes: severalCauses(`${first};CALL_REJECTED`, `${second};USER_BUSY`, `${third};NO_ANSWER`),
  })
  expect(told).toMatchObject({ DialCallStatus: 'no-answer' })
  expect(told).not.toHaveProperty('DialCallSid')
  expect(await statuses(call)).toEqual(['failed', 'busy', 'no-answer'])
  // It is learnt all the same.
  await endsWith(first ?? '', 'CALL_REJECTED')
  expect((await selectLegs(call.id))[0]).toMatchObject({ hangupCause: 'CALL_REJECTED', status: 'failed' })
})

test('legs that had no channel have failed at once, beside one that answered', async () => {
  const call = await dial('/three')
  const [, second] = call.legs.map(({ uuid }) => uuid)
  await endsWith(second ?? '', 'NORMAL_CLEARING', new Date(Date.now() - 3500))
  const told = await comeBack(call, {
    ...{ disposition: 'SUCCESS', joined: second ?? '', causes: `${second};NONE` },
  })
  expect(told).toMatchObject({ DialCallStatus: 'completed', DialCallDuration: '3' })
  expect(await statuses(call)).toEqual(['failed', 'completed', 'failed'])
})

test('in turn, those whose turn did not come are cancelled', async () => {
  const call = await dial('/in-turn')
  const [, second] = call.legs.map(({ uuid }) => uuid)
  await endsWith(second ?? '', 'NORMAL_CLEARING', new Date(Date.now() - 3500))
  await comeBack(call, {
    ...{ disposition: 'SUCCESS', joined: second ?? '', causes: `${second};NONE` },
  })
  expect(await statuses(call)).toEqual(['failed', 'completed', 'canceled'])
})

test('a Dial that had no channel at all ends its legs as it did', async () => {
  const call = await dial('/one')
  const told = await comeBack(call, { disposition: 'GATEWAY_DOWN' })
  expect(told).toMatchObject({ DialCallStatus: 'failed', DialCallSid: toSid('CA', call.legs[0]?.id ?? '') })
  expect((await selectLegs(call.id))[0]).toMatchObject({ status: 'failed', sipResponseCode: 503 })
})

test('what the switch still tells of the legs of an earlier Dial says nothing of this one', async () => {
  const call = await dial('/one')
  const earlier = '00000000-0000-4000-9000-000000000001'
  const told = await comeBack(call, {
    ...{ disposition: 'GATEWAY_DOWN', causes: `${earlier};USER_BUSY` },
    joined: earlier,
  })
  expect(told).toMatchObject({ DialCallStatus: 'failed' })
  expect((await selectLegs(call.id))[0]).toMatchObject({ status: 'failed', sipResponseCode: 503 })
})

test.each(['', ';', 'x;NONE', 'ARRAY::|:', `${'0'.repeat(36)};NONE`, 'ARRAY::a;B|:c;D'])(
  'causes that nobody told (%s) end nothing wrongly',
  async (text) => {
    const call = await dial('/one')
    const told = await comeBack(call, { disposition: 'NO_ANSWER', causes: text })
    expect(told).toMatchObject({ DialCallStatus: 'no-answer' })
    expect(await statuses(call)).toEqual(['no-answer'])
  },
)
