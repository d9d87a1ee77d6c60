import { expect, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { ack, ackRefusal, credentials, final, hungUp, invite } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
const number = '14155551234'

test('a caller of unknown source is challenged, in our realm', async () => {
  const stranger = await world.sipp({
    steps: [invite(), ...final(407), ackRefusal()],
    from: '127.0.0.9',
    number,
  })
  expect(await stranger.result()).toBe(0)
  const challenge = stranger.messages().find(({ firstLine }) => firstLine.startsWith('SIP/2.0 407'))
  expect(challenge?.text).toMatch(/^Proxy-Authenticate: Digest realm="trunks"/m)
  expect(await world.carrier.list('phone_calls')).toEqual([])
})

test('after the challenge, good credentials let a call in and bad ones do not', async () => {
  const { carrier, webhook } = world
  const trunk = await carrier.create('sip_trunks', {
    name: 'Cloud PBX',
    authentication_mode: 'client_credentials',
    region: 'hydrogen',
    inbound_country: 'US',
  })
  const { username, password } = trunk.attributes
  await assignNumber(carrier, `+${number}`, { voice_url: webhook.url('/voice') })
  webhook.answer('/voice', '<Response><Say>Hello.</Say></Response>')
  const login = (secret: string) => [
    ...[invite(), ...final(407), ackRefusal()],
    invite({ cseq: 2, headers: [credentials(String(username), secret)] }),
  ]

  const client = await world.sipp({
    steps: [...login(String(password)), ...final(200), ack(2), ...hungUp()],
    from: '127.0.0.7',
    number,
  })
  expect(await client.result()).toBe(0)
  const impostor = await world.sipp({
    steps: [...login('wrong'), ...final(403), ackRefusal(2)],
    from: '127.0.0.8',
    number,
  })
  expect(await impostor.result()).toBe(0)
  expect(webhook.requests('/voice')).toHaveLength(1)
})
