import twilio from 'twilio'
import { beforeAll, describe, expect, test } from 'vitest'
import { createProvider, type Line, openLine } from './support/line.ts'
import { until } from './support/programs.ts'
import type { Ear } from './support/rtp.ts'
import { answer, hangUpAnswered, hungUp, pause, ringing, type Step } from './support/sip-script.ts'
import type { Sipp } from './support/sipp.ts'
import { useWorld } from './support/world.ts'

// What becomes of a running verb that the API takes the call out of.

const { VoiceResponse } = twilio.twiml

const world = useWorld()
const farAddress = '127.0.0.3'
beforeAll(() => createProvider(world))

const farEnd = async (steps: (ear: Ear) => Step[]): Promise<{ ear: Ear; far: Sipp }> => {
  const ear = await world.ear(farAddress)
  return { ear, far: await world.sipp({ steps: steps(ear), from: farAddress, timeoutSeconds: 60 }) }
}
const staysUntilHungUp = (ear: Ear) => [...ringing(), pause(200), ...answer(ear), ...hungUp()]
const staysFor = (ms: number) => (ear: Ear) => [
  ...[...ringing(), pause(200), ...answer(ear), pause(ms)],
  ...hangUpAnswered(),
]

const theCall = async ({ client }: Line) => {
  const call = (await client.calls.list()).find(({ direction }) => direction === 'inbound')
  if (call === undefined) throw new Error('The line has a call.')
  return call
}

describe('the recording of a Dial ends when the API leads the call on', () => {
  test.concurrent.each([
    ['record-from-answer', 'to an unrecorded Dial'],
    ['record-from-ringing', 'to an unrecorded Dial'],
    ['record-from-answer', 'to a Pause'],
  ] as const)('%s, %s', async (record, whither) => {
    const bob = await farEnd(staysUntilHungUp)
    const eve = await farEnd(staysFor(5000))
    const line = await openLine(world)
    const first = new VoiceResponse()
    first.dial({ record, recordingStatusCallback: 'recorded' }).sip(`sip:bob@${bob.far.address}`)
    line.answers('voice', first)
    const second = new VoiceResponse()
    if (whither === 'to a Pause') second.pause({ length: 5 })
    else second.dial({ action: 'dialled' }).sip(`sip:eve@${eve.far.address}`)
    line.answers('moved', second)
    for (const path of ['dialled', 'recorded']) line.answers(path, new VoiceResponse())
    const caller = await line.call()
    await caller.answered()
    const speaking = caller.ear.speak(10_000)
    await until('bob hears the caller', () => (bob.ear.heardMs() > 1500 ? true : undefined))
    await line.client.calls((await theCall(line)).sid).update({ url: line.url('moved') })
    const { atMs } = await line.isAsked('moved')
    const told = await line.isAsked('recorded')
    // Long before what comes next is over.
    expect(told.atMs - atMs).toBeLessThan(2000)
    expect(told.params).toMatchObject({ RecordingStatus: 'completed', RecordingSource: 'DialVerb' })
    expect(Number(told.params.RecordingDuration)).toBeLessThanOrEqual(3)
    expect(await caller.sipp.result()).toBe(0)
    await speaking
    expect(await bob.far.result()).toBe(0)
    if (whither === 'to a Pause') await eve.far.stop()
    else expect(eve.ear.heardMs()).toBeGreaterThan(3000)
    expect(await line.client.recordings.list()).toHaveLength(1)
  })
})

test.concurrent('a recording of the whole call that the API has ordered goes on through that', async () => {
  const bob = await farEnd(staysUntilHungUp)
  const whom = await farEnd(staysUntilHungUp)
  const line = await openLine(world)
  const first = new VoiceResponse()
  first.dial({ record: 'record-from-answer' }).sip(`sip:bob@${bob.far.address}`)
  line.answers('voice', first)
  const second = new VoiceResponse()
  second.pause({ length: 3 })
  line.answers('moved', second)
  const call = await line.client.calls.create({
    ...{
      to: `sip:x@${whom.far.address}`,
      from: `+${String(line.incoming.attributes.number).replace('+', '')}`,
    },
    ...{ url: line.url('voice'), record: true, trim: 'do-not-trim' },
  })
  await until('the ringing is heard', () => (whom.ear.heardMs() > 0 ? true : undefined))
  const speaking = whom.ear.speak(6000)
  await until('bob is joined', () => (bob.ear.heardMs() > 1000 ? true : undefined))
  await line.client.calls(call.sid).update({ url: line.url('moved') })
  expect([await bob.far.result(), await whom.far.result()]).toEqual([0, 0])
  await speaking
  const lasted = await until('both recordings are there', async () => {
    const recordings = await line.client.recordings.list()
    const done = recordings.filter(({ status }) => ['completed', 'absent'].includes(status))
    return done.length === 2
      ? new Map(done.map(({ source, duration }) => [source, Number(duration)]))
      : undefined
  })
  expect(lasted.get('OutboundAPI')).toBeGreaterThanOrEqual(4)
  expect(lasted.get('DialVerb')).toBeLessThanOrEqual(3)
})

test.concurrent('a Record that the API leaves is over: what was said before is kept, and its action not asked', async () => {
  const line = await openLine(world)
  const first = new VoiceResponse()
  first.record({ action: 'taken', playBeep: false, recordingStatusCallback: 'recorded', timeout: 20 })
  line.answers('voice', first)
  const second = new VoiceResponse()
  second.pause({ length: 4 })
  line.answers('moved', second)
  for (const path of ['taken', 'recorded']) line.answers(path, new VoiceResponse())
  const caller = await line.call()
  await caller.answered()
  const speaking = caller.ear.speak(6000)
  await new Promise((resolve) => setTimeout(resolve, 2000))
  await line.client.calls((await theCall(line)).sid).update({ url: line.url('moved') })
  const { atMs } = await line.isAsked('moved')
  const told = await line.isAsked('recorded')
  expect(told.atMs - atMs).toBeLessThan(2000)
  expect(told.params).toMatchObject({ RecordingStatus: 'completed', RecordingSource: 'RecordVerb' })
  expect(Number(told.params.RecordingDuration)).toBeLessThanOrEqual(3)
  expect(await caller.sipp.result()).toBe(0)
  await speaking
  expect(line.asked('moved')).toHaveLength(1)
  expect(line.asked('taken')).toEqual([])
})
