import twilio from 'twilio'
import { beforeAll, expect, test } from 'vitest'
import { readWav } from '../audio/sounds.ts'
import type { Resource } from './support/carrier.ts'
import { createProvider, type Line, openLine } from './support/line.ts'
import { freeSipPort } from './support/ports.ts'
import { until } from './support/programs.ts'
import type { Ear } from './support/rtp.ts'
import { answer, hangUpAnswered, hungUp, pause, ringing, type Step } from './support/sip-script.ts'
import type { Sipp } from './support/sipp.ts'
import { useWorld } from './support/world.ts'

// Whom a Dial rings, what the far end sees and hears, and what is recorded and told of it.

const { VoiceResponse } = twilio.twiml
type Response = InstanceType<typeof VoiceResponse>

const world = useWorld()
const farAddress = '127.0.0.3'
let trunk: Resource

beforeAll(async () => {
  await createProvider(world)
  trunk = await world.carrier.create('sip_trunks', {
    ...{ name: 'Far', authentication_mode: 'ip_address', region: 'hydrogen', inbound_country: 'US' },
    ...{ inbound_source_ips: ['192.0.2.1'], outbound_host: `${farAddress}:${await freeSipPort(farAddress)}` },
  })
})

/** A far end that answers and hangs up after a while; `port` of the trunk unless a SIP URI leads to it. */
async function farEnd(steps: (ear: Ear) => Step[], port?: number): Promise<{ ear: Ear; far: Sipp }> {
  const ear = await world.ear(farAddress)
  const far = await world.sipp({
    steps: steps(ear),
    ...{ from: farAddress, timeoutSeconds: 60, ...(port === undefined ? {} : { port }) },
  })
  return { ear, far }
}

const answersFor = (ms: number) => (ear: Ear) => [
  ...ringing(),
  pause(200),
  ...answer(ear),
  pause(ms),
  ...hangUpAnswered(),
]

const invited = (far: Sipp) => {
  const text = far.messages().find(({ firstLine }) => firstLine.startsWith('INVITE '))?.text ?? ''
  return (name: string) =>
    name === '' ? text.split('\r\n')[0] : new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1]
}

async function lineThat(write: (response: Response) => void): Promise<Line> {
  const line = await openLine(world)
  const response = new VoiceResponse()
  write(response)
  line.answers('voice', response)
  for (const path of ['dialled', 'told', 'recorded']) line.answers(path, new VoiceResponse())
  return line
}

test.concurrent.each(['sip:', 'sip://'])('a SIP URI (%s) is called with its headers', async (scheme) => {
  const { far, ear } = await farEnd(answersFor(1500))
  const uri = `${scheme}bob@${far.address};user=phone;lr?X-Tenant=acme&X-Ticket=42%2F7`
  const line = await lineThat((response) => response.dial({ action: 'dialled' }).sip(uri))
  const caller = await line.call()
  await caller.answered()
  await caller.ear.speak(1000)
  const { params } = await line.isAsked('dialled')
  expect(params.DialCallStatus).toBe('completed')
  expect(await far.result()).toBe(0)
  expect(await caller.sipp.result()).toBe(0)
  const header = invited(far)
  expect(header('')).toBe(`INVITE sip:bob@${far.address} SIP/2.0`)
  expect(['X-Tenant', 'X-Ticket'].map(header)).toEqual(['acme', '42/7'])
  expect(header('From')).toContain('<sip:+19175551234@')
  expect(ear.heardMs()).toBeGreaterThan(500)
})

test.concurrent('whoever is called sees the caller, or the number of the account that callerId names', async () => {
  const seen = async (callerId: string | undefined) => {
    const { far } = await farEnd(answersFor(300))
    const line = await openLine(world)
    const own = `+${String(line.incoming.attributes.number).replace('+', '')}`
    const shown = callerId === 'own' ? own : callerId
    const response = new VoiceResponse()
    response.dial(shown === undefined ? {} : { callerId: shown }).sip(`sip:bob@${far.address}`)
    line.answers('voice', response)
    const { sipp } = await line.call()
    expect(await sipp.result()).toBe(0)
    const from = /sip:([^@]*)@/.exec(invited(far)('From') ?? '')?.[1]
    await far.stop()
    return { from, own, line }
  }
  const [absent, own, foreign, national] = await Promise.all(
    [undefined, 'own', '+12125550000', '2125550000'].map(seen),
  )
  expect(absent?.from).toBe('+19175551234')
  expect(own?.from).toBe(own?.own)
  expect([foreign?.from, national?.from]).toEqual([undefined, undefined])
  const [log] = await world.carrier.list('error_logs', `?filter[account]=${foreign?.line.account.id}`)
  expect(log?.attributes).toMatchObject({ type: 'dial.caller_id', details: { code: 21210 } })
})

// One after the other from here: they share the far end of the trunk.
const port = () => Number(String(trunk.attributes.outbound_host).split(':')[1])

test('a Number with a url hears that TwiML first, and is told of at each step', async () => {
  const { far, ear } = await farEnd(answersFor(5000), port())
  const line = await lineThat((response) => {
    const dial = response.dial({ action: 'dialled' })
    dial.number(
      {
        ...{ url: 'whisper', statusCallback: 'told' },
        statusCallbackEvent: ['initiated', 'ringing', 'answered', 'completed'],
      },
      '+16505550001',
    )
  })
  const whisper = new VoiceResponse()
  whisper.say('A call for you.')
  line.answers('whisper', whisper)
  const caller = await line.call()
  const { params } = await line.isAsked('dialled')
  const [leg] = await line.client.calls.list({ parentCallSid: params.CallSid ?? '' })
  expect(params).toMatchObject({ DialCallStatus: 'completed', DialCallSid: leg?.sid })
  expect(line.asked('whisper')[0]?.params).toMatchObject({
    ...{ CallSid: leg?.sid, Direction: 'outbound-dial', To: '+16505550001', CallStatus: 'in-progress' },
    ParentCallSid: params.CallSid,
  })
  expect(ear.heardMs()).toBeGreaterThan(400)
  const told = await until('all is told', () => {
    const asked = line.asked('told')
    return asked.length === 4 ? asked.map((request) => request.params) : undefined
  })
  expect(told.map(({ SequenceNumber, CallStatus }) => `${SequenceNumber} ${CallStatus}`)).toEqual([
    ...['0 initiated', '1 ringing', '2 in-progress', '3 completed'],
  ])
  expect(told.map(({ CallSid, ParentCallSid }) => [CallSid, ParentCallSid])).toEqual(
    Array(4).fill([leg?.sid, params.CallSid]),
  )
  expect(await caller.sipp.result()).toBe(0)
  expect(await far.result()).toBe(0)
})

test('a whisper that hangs up joins nobody', async () => {
  const { far } = await farEnd((ear) => [...ringing(), ...answer(ear), ...hungUp()], port())
  const line = await lineThat((response) => {
    response.dial({ action: 'dialled' }).number({ url: 'whisper' }, '+16505550001')
  })
  const whisper = new VoiceResponse()
  whisper.hangup()
  line.answers('whisper', whisper)
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  const [leg] = await line.client.calls.list({ parentCallSid: params.CallSid ?? '' })
  expect(params).toMatchObject({ DialCallStatus: 'no-answer', DialCallSid: leg?.sid })
  expect(params).not.toHaveProperty('DialCallDuration')
  expect(await sipp.result()).toBe(0)
  expect(await far.result()).toBe(0)
})

test('sendDigits presses keys at the far end', async () => {
  const { far, ear } = await farEnd(answersFor(4000), port())
  const line = await lineThat((response) => {
    response.dial({ action: 'dialled' }).number({ sendDigits: 'w12#' }, '+16505550001')
  })
  const { sipp } = await line.call()
  await line.isAsked('dialled')
  expect(ear.keys()).toBe('12#')
  expect(await sipp.result()).toBe(0)
  expect(await far.result()).toBe(0)
})

test.each([
  ['record-from-answer', 1],
  ['record-from-ringing', 1],
  ['record-from-answer-dual', 2],
  ['record-from-ringing-dual', 2],
] as const)('%s: the recording is told of, and has %i channels', async (record, channels) => {
  const { far, ear } = await farEnd(answersFor(3000), port())
  const line = await lineThat((response) => {
    response.dial({ action: 'dialled', record, recordingStatusCallback: 'recorded' }).number('+16505550001')
  })
  const caller = await line.call()
  await caller.answered()
  await Promise.all([
    caller.ear.speak(2500),
    until('they are joined', () => (ear.heardMs() > 0 ? true : undefined)),
  ])
  const { params } = await line.isAsked('dialled')
  const told = await line.isAsked('recorded')
  expect(told.params).toMatchObject({
    ...{ RecordingStatus: 'completed', RecordingSource: 'DialVerb', RecordingChannels: String(channels) },
    ...{ RecordingUrl: params.RecordingUrl, CallSid: params.CallSid },
    ...{ RecordingSid: params.RecordingSid, RecordingDuration: params.RecordingDuration },
  })
  expect(params.RecordingSid).toMatch(/^RE[0-9a-f]{32}$/)
  expect(Number(params.RecordingDuration)).toBeGreaterThanOrEqual(2)
  const file = await fetch(`${params.RecordingUrl}.wav`)
  const wav = readWav(Buffer.from(await file.arrayBuffer()))
  expect(wav.channels).toBe(channels)
  expect(wav.samples.length / wav.rate).toBeGreaterThan(1.5)
  expect(await caller.sipp.result()).toBe(0)
  expect(await far.result()).toBe(0)
})
