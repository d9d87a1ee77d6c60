import { beforeAll, expect, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { until } from './support/programs.ts'
import { ack, final, hungUp, invite } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

// The server dies and comes back while calls run: each goes on at its next step, since none of it was in its memory.

const world = useWorld()
const numbers = { menu: '14155550001', stall: '14155550002' }

beforeAll(async () => {
  await world.carrier.create('sip_trunks', {
    ...{ name: 'Provider', authentication_mode: 'ip_address', region: 'hydrogen', inbound_country: 'US' },
    inbound_source_ips: ['127.0.0.2'],
  })
  for (const [name, number] of Object.entries(numbers))
    await assignNumber(world.carrier, `+${number}`, { voice_url: world.webhook.url(`/${name}`) })
})

const callsTo = (number: string, calls: number) =>
  world.sipp({
    steps: [invite(), ...final(200), ack(), ...hungUp()],
    ...{ from: '127.0.0.2', number, calls, perSecond: 25, timeoutSeconds: 80 },
  })

type Channel = { uuid: string; application: string; application_data: string }
const channels = async (): Promise<Channel[]> =>
  JSON.parse(await world.freeswitch.api('show channels as json')).rows ?? []
const press = async (key: string, all: readonly Channel[]) => {
  for (const { uuid } of all) await world.freeswitch.api(`uuid_recv_dtmf ${uuid} ${key}`)
}
const sids = (path: string) => world.webhook.requests(path).map(({ params }) => params.CallSid ?? '')

async function allCompleted(path: string) {
  const called = new Set(sids(path))
  await until('all calls are completed', async () => {
    const calls = await world.carrier.list('phone_calls', '?filter[status]=completed&page[size]=100')
    return calls.filter(({ attributes }) => called.has(String(attributes.sid))).length === called.size
      ? true
      : undefined
  })
}

test('50 calls in a Gather: keys pressed while it is away and after it is back are heard', async () => {
  const { webhook, server } = world
  webhook.answer('/menu', '<Response><Gather numDigits="1" timeout="60" action="/pressed"/></Response>')
  webhook.answer('/pressed', '<Response><Pause length="1"/><Hangup/></Response>')
  const callers = await callsTo(numbers.menu, 50)
  const waiting = await until('50 calls wait for a key', async () => {
    const all = await channels()
    return all.filter(({ application }) => application === 'play_and_get_digits').length === 50
      ? all
      : undefined
  })
  await server.stop('SIGKILL')
  await press('1', waiting.slice(0, 20))
  await until('20 calls wait for the server', async () => {
    const all = await channels()
    return all.filter(({ application_data }) => application_data === 'silence_stream://1000').length === 20
      ? true
      : undefined
  })
  expect(sids('/pressed')).toEqual([])
  await server.start()
  await press('2', waiting.slice(20))
  expect(await callers.result()).toBe(0)
  const pressed = webhook.requests('/pressed').map(({ params }) => `${params.CallSid} ${params.Digits}`)
  expect(new Set(pressed.map((text) => text.split(' ')[0])).size).toBe(50)
  expect(pressed.map((text) => text.split(' ')[1]).sort()).toEqual([
    ...Array(20).fill('1'),
    ...Array(30).fill('2'),
  ])
  expect(sids('/menu')).toHaveLength(50)
  await allCompleted('/menu')
}, 120_000)

test.each<['killed' | 'stopped', NodeJS.Signals, number]>([
  ['stopped', 'SIGTERM', 14],
  ['killed', 'SIGKILL', 25],
])(
  '20 calls wait for their webhook when it is %s (%s): it is asked again within %i s',
  async (_, signal, seconds) => {
    const { webhook, server } = world
    // The first request of a call is never answered.
    const known = new Set<string>()
    webhook.answer('/stall', ({ params: { CallSid = '' } }) => {
      if (known.has(CallSid)) return '<Response><Pause length="1"/><Hangup/></Response>'
      known.add(CallSid)
      return new Promise(() => {})
    })
    const before = sids('/stall').length
    const callers = await callsTo(numbers.stall, 20)
    await until('20 calls wait for their webhook', async () => {
      const all = await channels()
      return known.size === 20 && all.filter(({ application }) => application === 'playback').length === 20
        ? true
        : undefined
    })
    const stoppedAt = Date.now()
    await server.stop(signal)
    await server.start()
    expect(await callers.result()).toBe(0)
    console.log(`${signal}: all 20 calls were over after ${Date.now() - stoppedAt} ms.`)
    expect(Date.now() - stoppedAt).toBeLessThan(seconds * 1000)
    expect(sids('/stall')).toHaveLength(before + 40)
    await allCompleted('/stall')
  },
  120_000,
)
