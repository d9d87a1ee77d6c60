import { expect, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { until } from './support/programs.ts'
import { ack, ackRefusal, final, hungUp, invite } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
const number = '14155551234'

test('while the server is away new calls get 503, and a call that runs waits for its return', async () => {
  const { carrier, freeswitch, server, webhook } = world
  await carrier.create('sip_trunks', {
    name: 'Provider',
    authentication_mode: 'ip_address',
    region: 'hydrogen',
    inbound_country: 'US',
    inbound_source_ips: ['127.0.0.2'],
  })
  await assignNumber(carrier, `+${number}`, { voice_url: webhook.url('/voice') })
  webhook.answer(
    '/voice',
    '<Response><Say>Hello.</Say><Pause length="3"/><Redirect>/more</Redirect></Response>',
  )
  webhook.answer('/more', '<Response><Say>You are still here.</Say></Response>')

  const ear = await world.ear('127.0.0.2')
  const running = await world.sipp({
    steps: [invite({ ear }), ...final(200), ack(), ...hungUp()],
    from: '127.0.0.2',
    number,
    timeoutSeconds: 60,
  })
  await until('the caller is greeted', () => (ear.heardMs() > 0 ? true : undefined))
  expect(await server.stop()).toBe(0)

  const refused = await world.sipp({
    steps: [invite(), ...final(503), ackRefusal()],
    from: '127.0.0.2',
    number,
  })
  expect(await refused.result()).toBe(0)
  await until('the running call waits', async () => {
    const channels = await freeswitch.api('show channels')
    return channels.includes('silence_stream://1000') ? true : undefined
  })
  expect(webhook.requests('/more')).toEqual([])

  const heard = ear.heardMs()
  await server.start()
  expect(await running.result()).toBe(0)
  expect(webhook.requests('/more')).toHaveLength(1)
  expect(ear.heardMs() - heard).toBeGreaterThan(500)
  await until('the call is completed', async () => {
    const [call] = await carrier.list('phone_calls')
    return call?.attributes.status === 'completed' ? true : undefined
  })
})
