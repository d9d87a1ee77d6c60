import { expect, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { until } from './support/programs.ts'
import { ack, answer, final, hangUpAnswered, hungUp, invite, pause, ringing } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()

test('a call to a number with a sip_domain rings that SIP server, and both are told when the other hangs up', async () => {
  const { carrier } = world
  const business = await world.sipp({
    steps: [...ringing(), pause(500), ...answer(), pause(2000), ...hangUpAnswered()],
    from: '127.0.0.3',
  })
  await carrier.create('sip_trunks', {
    name: 'Provider',
    authentication_mode: 'ip_address',
    region: 'hydrogen',
    inbound_country: 'US',
    inbound_source_ips: ['127.0.0.2'],
  })
  await assignNumber(carrier, '+14155551235', { sip_domain: business.address })
  const caller = await world.sipp({
    steps: [invite(), ...final(200), ack(), ...hungUp()],
    from: '127.0.0.2',
    number: '14155551235',
  })
  expect([await caller.result(), await business.result()]).toEqual([0, 0])

  const offered = business.messages().find(({ firstLine }) => firstLine.startsWith('INVITE '))
  expect(offered?.firstLine).toBe(`INVITE sip:14155551235@${business.address} SIP/2.0`)
  expect(offered?.text).toMatch(/^From: .*<sip:\+?19175551234@/m)
  const calls = await until('the call and its leg are completed', async () => {
    const listed = await carrier.list('phone_calls')
    return listed.every(({ attributes }) => attributes.status === 'completed') ? listed : undefined
  })
  expect(calls.map(({ attributes }) => attributes.direction)).toEqual(['outbound-dial', 'inbound'])
  const talked = [business.talkedSeconds(), caller.talkedSeconds()]
  for (const [index, call] of calls.entries())
    expect(Math.abs(Number(call.attributes.duration) - (talked[index] ?? 0))).toBeLessThanOrEqual(1)
})
