import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { accounts } from '../../src/db/schema.ts'
import type { FarEnd, Originate } from '../support/fake-calls.ts'
import { type Placing, startPlacing } from '../support/placing.ts'

let placing: Placing
let at: Record<string, FarEnd>

beforeAll(async () => {
  placing = await startPlacing()
  const host = (name: string) => `${name}.example.com`
  await placing.trunk({ name: 'First', outboundHost: host('first'), outboundRoutePrefixes: ['1415'] })
  await placing.trunk({ name: 'Second', outboundHost: host('second'), outboundRoutePrefixes: ['1'] })
  await placing.trunk({
    ...{ name: 'Client', authenticationMode: 'client_credentials', outboundRoutePrefixes: ['1650'] },
  })
  await placing.trunk({ name: 'Last', outboundHost: host('last'), outboundRoutePrefixes: [] })
  placing.calls.farEnd = ({ endpoint }: Originate) =>
    at[/@(\w+)/.exec(endpoint)?.[1] ?? ''] ?? { ringMs: 2, answerMs: 4, talkMs: 5 }
})
beforeEach(async () => {
  at = {}
  placing.calls.originates.length = 0
  await switchFailover(true)
})
afterAll(() => placing.close())

const switchFailover = (failover: boolean) =>
  placing.platform.db.update(accounts).set({ failover }).where(eq(accounts.id, placing.tenant.account.id))
const tried = () => placing.calls.originates.map(({ endpoint }) => /@(\w+)/.exec(endpoint)?.[1])
const refuse = (cause: string, sipCode?: number): FarEnd => ({
  refuse: { cause, afterMs: 2, ...(sipCode === undefined ? {} : { sipCode }) },
})
const down: FarEnd = { channel: false, refuse: { cause: 'GATEWAY_DOWN', afterMs: 0 } }

test('off by default: the specification names one trunk', async () => {
  await switchFailover(false)
  at = { first: refuse('NORMAL_TEMPORARY_FAILURE', 503) }
  expect(await placing.ended(await placing.order('+14155551234'))).toMatchObject({ status: 'failed' })
  expect(tried()).toEqual(['first'])
})

describe('a trunk that fails before it rings is followed by the next', () => {
  test.each<[string, FarEnd]>([
    ['its gateway is down', down],
    ['503', refuse('NORMAL_TEMPORARY_FAILURE', 503)],
    ['500', refuse('NORMAL_TEMPORARY_FAILURE', 500)],
    ['no reply', refuse('RECOVERY_ON_TIMER_EXPIRE', 408)],
    ['no route', refuse('NO_ROUTE_DESTINATION')],
  ])('%s', async (_, failure) => {
    at = { first: failure }
    const id = await placing.order('+14155551234')
    expect(await placing.ended(id)).toMatchObject({ status: 'completed' })
    expect(tried()).toEqual(['first', 'second'])
    expect(await placing.told(id)).toEqual(['0 initiated', '1 ringing', '2 in-progress', '3 completed'])
  })

  test('its client is not registered', async () => {
    const id = await placing.order('+16505551234')
    expect(await placing.ended(id)).toMatchObject({ status: 'completed' })
    expect(tried()).toEqual(['second'])
  })

  test('each try is shown on the call, under a channel of its own', async () => {
    at = { first: down, second: refuse('NORMAL_TEMPORARY_FAILURE', 503) }
    const id = await placing.order('+14155551234')
    const call = await placing.ended(id)
    expect(tried()).toEqual(['first', 'second', 'last'])
    expect(new Set(placing.calls.originates.map(({ channelUuid }) => channelUuid)).size).toBe(3)
    const steps = call.routeSteps as { name: string; kept: boolean; reason: string }[]
    expect(steps.slice(3).map(({ name, kept, reason }) => [name, kept, reason])).toEqual([
      ['First', false, 'The call failed on this trunk before it rang: GATEWAY_DOWN.'],
      ['Second', true, 'The account has failover, and this trunk is the next by the same rules.'],
      ['Second', false, 'The call failed on this trunk before it rang: NORMAL_TEMPORARY_FAILURE (SIP 503).'],
      ['Last', true, 'The account has failover, and this trunk is the next by the same rules.'],
    ])
  })

  test('when the last fails too, the call has failed as it did', async () => {
    at = { first: down, second: down, last: refuse('NORMAL_TEMPORARY_FAILURE', 500) }
    const id = await placing.order('+14155551234')
    expect(await placing.ended(id)).toMatchObject({ status: 'failed', sipResponseCode: 500 })
    expect(tried()).toEqual(['first', 'second', 'last'])
    expect(await placing.told(id)).toEqual(['0 initiated', '1 failed'])
  })
})

describe('a call ends where it is', () => {
  test.each<[string, FarEnd, string]>([
    ['refused: 404', refuse('UNALLOCATED_NUMBER', 404), 'failed'],
    ['declined: 603', refuse('CALL_REJECTED', 603), 'failed'],
    ['busy', refuse('USER_BUSY', 486), 'busy'],
    ['503 after it rang', { ringMs: 2, ...refuse('NORMAL_TEMPORARY_FAILURE', 503) }, 'failed'],
    ['unavailable', refuse('NO_USER_RESPONSE', 480), 'no-answer'],
  ])('%s', async (_, farEnd, status) => {
    at = { first: farEnd }
    expect(await placing.ended(await placing.order('+14155551234'))).toMatchObject({ status })
    expect(tried()).toEqual(['first'])
  })
})
