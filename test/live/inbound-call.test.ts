import { expect, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { until } from './support/programs.ts'
import { ack, final, hungUp, invite } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()

test('a call from a listed address asks the webhook, hears speech and ends completed', async () => {
  const { carrier, webhook } = world
  await carrier.create('sip_trunks', {
    name: 'Provider',
    authentication_mode: 'ip_address',
    region: 'hydrogen',
    inbound_country: 'US',
    inbound_source_ips: ['127.0.0.2'],
  })
  const { account } = await assignNumber(carrier, '+14155551234', {
    voice_url: webhook.url('/voice'),
    voice_method: 'POST',
  })
  webhook.answer(
    '/voice',
    '<Response><Say>Welcome to Acme Corp, how can we help you?</Say><Pause length="2"/></Response>',
  )
  const ear = await world.ear('127.0.0.2')
  const caller = await world.sipp({
    steps: [invite({ ear }), ...final(200), ack(), ...hungUp()],
    from: '127.0.0.2',
    number: '14155551234',
  })
  expect(await caller.result()).toBe(0)

  const [request, ...more] = webhook.requests('/voice')
  expect(more).toEqual([])
  expect(request?.method).toBe('POST')
  expect(request?.headers['content-type']).toMatch(/^application\/x-www-form-urlencoded/)
  const [call] = await carrier.list('phone_calls')
  expect(request?.params).toEqual({
    CallSid: call?.attributes.sid,
    From: '+19175551234',
    To: '+14155551234',
    Caller: '+19175551234',
    Called: '+14155551234',
    Direction: 'inbound',
    AccountSid: account.attributes.sid,
    CallStatus: 'ringing',
    ApiVersion: '2010-04-01',
  })

  // The sentence takes about three seconds to say; the pause after it is silent.
  expect(ear.heardMs()).toBeGreaterThan(1000)
  expect(ear.packets.slice(-50).every(({ loudness }) => loudness < 50)).toBe(true)

  const record = await until('the call is completed', async () => {
    const shown = await carrier.show('phone_calls', call?.id ?? '')
    return shown.attributes.status === 'completed' ? shown : undefined
  })
  const seconds = caller.talkedSeconds()
  expect(seconds).toBeGreaterThan(3)
  expect(Math.abs(Number(record.attributes.duration) - seconds)).toBeLessThanOrEqual(1)
  expect(record.attributes).toMatchObject({
    from: '+19175551234',
    to: '+14155551234',
    direction: 'inbound',
    sip_response_code: 200,
    hangup_cause: 'NORMAL_CLEARING',
  })
  const answered = caller.messages().find(({ firstLine }) => firstLine === 'SIP/2.0 200 OK')
  const answeredAt = Date.parse(String(record.attributes.answered_at))
  expect(Math.abs(answeredAt - (answered?.atMs ?? 0))).toBeLessThan(1000)
})
