import { beforeAll, expect, test } from 'vitest'
import { type Business, createBusiness } from './support/account.ts'
import { until } from './support/programs.ts'
import { answer, hangUpAnswered, pause, ringing } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
let business: Business

beforeAll(async () => {
  business = await createBusiness(world.server, world.carrier, world.webhook)
})

test('a trunk is deleted: its call goes on, the one that waits for a channel ends, and both tell which trunk it was', async () => {
  const { carrier, webhook } = world
  webhook.answer('/speech', '<Response><Say loop="0">Still here.</Say></Response>')
  const ear = await world.ear('127.0.0.3')
  const far = await world.sipp({
    steps: [...ringing(), ...answer(ear), pause(6000), ...hangUpAnswered()],
    from: '127.0.0.3',
  })
  const trunk = await carrier.create('sip_trunks', {
    ...{ name: 'Doomed', authentication_mode: 'ip_address', region: 'hydrogen', max_channels: 1 },
    ...{ inbound_source_ips: ['192.0.2.1'], outbound_host: far.address },
  })
  const running = await business.call('+14155551234', { url: webhook.url('/speech') })
  await business.reaches(running, 'in-progress')
  const waiting = await business.call('+14155551235', { url: webhook.url('/speech') })
  await carrier.remove(trunk)
  const heardBefore = ear.heardMs()

  await business.reaches(waiting, 'failed')
  await until('all is told', () => (business.told(waiting).length === 2 ? true : undefined))
  expect(business.told(waiting)).toEqual(['0 initiated', '1 failed 404'])
  const ended = await business.reaches(running, 'completed')
  expect(await far.result()).toBe(0)
  expect(Number(ended.duration)).toBeGreaterThanOrEqual(5)
  expect(ear.heardMs() - heardBefore, 'it went on speaking').toBeGreaterThan(1500)
  expect(await carrier.list('phone_calls', `?filter[sip_trunk]=${trunk.id}`)).toHaveLength(2)
})
