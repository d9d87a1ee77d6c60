import twilio from 'twilio'
import { beforeAll, expect, test } from 'vitest'
import { createProvider, type Line, openLine } from './support/line.ts'
import { freeSipPort } from './support/ports.ts'
import { until } from './support/programs.ts'
import type { Ear } from './support/rtp.ts'
import { answer, hangUpAnswered, hungUp, pause, ringing, type Step } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

// What the called leg of a Dial hears before it is joined, and that it is joined only when that says so.

const { VoiceResponse } = twilio.twiml
type Response = InstanceType<typeof VoiceResponse>

const world = useWorld()
const farAddress = '127.0.0.3'
const number = '+16505550001'
let port = 0

beforeAll(async () => {
  port = await freeSipPort(farAddress)
  await createProvider(world)
  await world.carrier.create('sip_trunks', {
    ...{ name: 'Far', authentication_mode: 'ip_address', region: 'hydrogen', inbound_country: 'US' },
    ...{ inbound_source_ips: ['192.0.2.1'], outbound_host: `${farAddress}:${port}` },
  })
})

const farEnd = async (after: readonly Step[]) => {
  const ear = await world.ear(farAddress)
  const steps = [...ringing(), pause(200), ...answer(ear), ...after]
  return { ear, far: await world.sipp({ steps, from: farAddress, port, timeoutSeconds: 60 }) }
}

const written = (write: (response: Response) => void): string => {
  const response = new VoiceResponse()
  write(response)
  return response.toString()
}
const slowly = (ms: number, document: string) => async () => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return document
}

async function lineThatWhispers(): Promise<Line> {
  const line = await openLine(world)
  const voice = written((response) => response.dial({ action: 'dialled' }).number({ url: 'whisper' }, number))
  line.answers('voice', voice)
  line.answers('dialled', new VoiceResponse())
  return line
}

/** Both speak after they are joined: the far end hears the caller, who hears nothing else. */
async function expectJoined(ear: Ear, caller: Ear): Promise<void> {
  const before = ear.heardMs()
  await caller.speak(1500)
  expect(ear.heardMs() - before).toBeGreaterThan(1000)
}

test('a whisper that comes late is heard, and the leg is joined', async () => {
  const { far, ear } = await farEnd([pause(9000), ...hangUpAnswered()])
  const line = await lineThatWhispers()
  line.answers(
    'whisper',
    slowly(
      3000,
      written((response) => response.say('A call for you.')),
    ),
  )
  const caller = await line.call()
  await caller.answered()
  await until('the whisper is heard', () => (ear.heardMs() > 400 ? true : undefined))
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await expectJoined(ear, caller.ear)
  const { params } = await line.isAsked('dialled')
  expect(params.DialCallStatus).toBe('completed')
  expect(line.asked('whisper')).toHaveLength(1)
  expect(await caller.sipp.result()).toBe(0)
  expect(await far.result()).toBe(0)
})

test('the action of a Gather in it may be late as well', async () => {
  const { far, ear } = await farEnd([pause(11_000), ...hangUpAnswered()])
  const line = await lineThatWhispers()
  line.answers(
    'whisper',
    written((response) => {
      response.gather({ numDigits: 1, timeout: 5, action: 'accept' }).say('Press one.')
      response.hangup()
    }),
  )
  line.answers('accept', slowly(3000, '<Response/>'))
  const caller = await line.call()
  await caller.answered()
  await until('the whisper is heard', () => (ear.heardMs() > 400 ? true : undefined))
  await ear.press('1')
  const { params: accepted } = await line.isAsked('accept')
  expect(accepted.Digits).toBe('1')
  await new Promise((resolve) => setTimeout(resolve, 4800))
  await expectJoined(ear, caller.ear)
  const { params } = await line.isAsked('dialled')
  expect(params.DialCallStatus).toBe('completed')
  expect(await caller.sipp.result()).toBe(0)
  expect(await far.result()).toBe(0)
})

test('a whisper that asks for a key for ever joins nobody in the end, and says why', async () => {
  const { far, ear } = await farEnd(hungUp())
  const line = await lineThatWhispers()
  line.answers(
    'whisper',
    written((response) => {
      response.gather({ numDigits: 1, timeout: 1, action: 'accept' })
      response.redirect('whisper')
    }),
  )
  const caller = await line.call()
  await caller.answered()
  const speaking = caller.ear.speak(20_000)
  const { params } = await line.isAsked('dialled', 1, 30_000)
  expect(params.DialCallStatus).toBe('no-answer')
  expect(params).not.toHaveProperty('DialCallDuration')
  expect(line.asked('whisper')).toHaveLength(12)
  expect(await caller.sipp.result()).toBe(0)
  expect(await far.result()).toBe(0)
  // An apology, and nothing of the caller.
  expect(ear.heardMs()).toBeLessThan(6000)
  const [log] = await world.carrier.list('error_logs', `?filter[account]=${line.account.id}`)
  expect(log?.attributes.message).toContain('A leg has 24 steps before it is joined')
  await speaking
}, 60_000)

const moves: [when: string, whisper: string, status: string][] = [
  ['joined', written((response) => response.pause({ length: 1 })), 'completed'],
  ['hearing its whisper', written((response) => response.pause({ length: 20 })), 'canceled'],
]
test.each(moves)(
  'a leg that the API leads elsewhere while %s goes on by itself',
  async (when, whisper, status) => {
    const { far, ear } = await farEnd(hungUp())
    const line = await lineThatWhispers()
    line.answers('whisper', whisper)
    line.answers(
      'dialled',
      written((response) => response.pause({ length: 4 })),
    )
    let turns = 0
    line.answers('round', () =>
      written((response) => (++turns < 60 ? response.redirect('round') : response.say('That is all.'))),
    )
    const caller = await line.call()
    await caller.answered()
    const speaking = caller.ear.speak(7000)
    await line.isAsked('whisper')
    if (when === 'joined') await until('they talk', () => (ear.heardMs() > 1000 ? true : undefined))
    else await new Promise((resolve) => setTimeout(resolve, 1000))
    const [leg] = (await line.client.calls.list()).filter(({ direction }) => direction === 'outbound-dial')
    await line.client.calls(leg?.sid ?? '').update({ url: line.url('round') })
    const { params } = await line.isAsked('dialled')
    expect(params.DialCallStatus).toBe(status)
    const before = ear.heardMs()
    expect(await far.result()).toBe(0)
    expect(line.asked('round')).toHaveLength(60)
    // What is said to it alone.
    expect(ear.heardMs() - before).toBeGreaterThan(300)
    if (when !== 'joined') expect(ear.heardMs()).toBeLessThan(2500)
    expect(await caller.sipp.result()).toBe(0)
    await speaking
    expect(await world.carrier.list('error_logs', `?filter[account]=${line.account.id}`)).toEqual([])
  },
)
