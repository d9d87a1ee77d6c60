import twilio from 'twilio'
import { beforeAll, expect, test } from 'vitest'
import { createProvider, type Line, openLine } from './support/line.ts'
import { freeSipPort } from './support/ports.ts'
import { until } from './support/programs.ts'
import type { Ear } from './support/rtp.ts'
import { answer, hangUpAnswered, pause, ringing, type Step } from './support/sip-script.ts'
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
