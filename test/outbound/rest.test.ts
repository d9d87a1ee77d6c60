import { afterAll, beforeAll, expect, test } from 'vitest'
import { advance } from '../../src/calls/progress.ts'
import { restMilliseconds, takeNext } from '../../src/outbound/queries.ts'
import { eventually } from '../support/eventually.ts'
import { type Placing, startPlacing } from '../support/placing.ts'

let placing: Placing
beforeAll(async () => {
  placing = await startPlacing(0)
})
afterAll(() => placing.close())

const take = async (trunkId: string) => (await takeNext(placing.platform.db, trunkId, 's1'))?.id
const ending = { end: { at: new Date(), cause: 'NORMAL_CLEARING', sipStatus: 200 } }

test('a channel rests a moment after its call, while the switch takes the session apart, and is taken then', async () => {
  const trunk = await placing.trunk({ outboundHost: 'pbx.example.com', maxChannels: 1 })
  const first = await placing.order('+14155551234')
  const second = await placing.order('+14155551235')
  expect(await take(trunk.id)).toBe(first)
  expect(await take(trunk.id)).toBeUndefined()
  const ended = performance.now()
  await advance(placing.platform.db, { id: first }, ending)
  await eventually(async () => expect(await take(trunk.id)).toBe(second))
  expect(performance.now() - ended).toBeGreaterThan(restMilliseconds)
})

test('a trunk with other channels left does not wait for the one that rests', async () => {
  const trunk = await placing.trunk({
    outboundHost: 'pbx.example.com',
    maxChannels: 2,
    outboundRoutePrefixes: ['1650'],
  })
  const first = await placing.order('+16505551234')
  const second = await placing.order('+16505551235')
  expect(await take(trunk.id)).toBe(first)
  await advance(placing.platform.db, { id: first }, ending)
  expect(await take(trunk.id)).toBe(second)
})
