import twilio from 'twilio'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodeAudio } from '../../src/audio/decode.ts'
import { readWav } from '../audio/sounds.ts'
import {
  type Caller,
  createProvider,
  expectAllSigned,
  hangsUpAfter,
  type Line,
  openLine,
} from './support/line.ts'
import { until } from './support/programs.ts'
import { useWorld } from './support/world.ts'

const { VoiceResponse } = twilio.twiml
type RecordVerb = NonNullable<Parameters<InstanceType<typeof VoiceResponse>['record']>[0]>

const world = useWorld()
beforeAll(() => createProvider(world))
afterAll(() => expectAllSigned(world))

/** A line whose document is a Record and, when there was only silence, a way to `next`. */
async function lineWith(record: RecordVerb): Promise<Line> {
  const line = await openLine(world)
  const response = new VoiceResponse()
  response.record({ action: 'taken', playBeep: false, recordingStatusCallback: 'told', ...record })
  response.redirect('next')
  line.answers('voice', response)
  const over = new VoiceResponse()
  over.hangup()
  for (const path of ['taken', 'next', 'told']) line.answers(path, over)
  return line
}

/** Calls and speaks after a moment, when the Record has begun. */
async function speak(line: Line, ms: number, script?: Parameters<Line['call']>[0]): Promise<Caller> {
  const caller = await line.call(script)
  await caller.answered()
  await new Promise((resolve) => setTimeout(resolve, 500))
  await caller.ear.speak(ms)
  return caller
}

/** What a recording's file says of itself, in both its forms. */
async function listen(recordingUrl: string) {
  const load = async (url: string) => {
    const response = await fetch(url)
    return { type: response.headers.get('content-type'), bytes: Buffer.from(await response.arrayBuffer()) }
  }
  const wav = await load(`${recordingUrl}.wav`)
  expect(wav.type).toBe('audio/x-wav')
  expect(await load(recordingUrl)).toEqual(wav)
  const mp3 = await load(`${recordingUrl}.mp3`)
  expect(mp3.type).toBe('audio/mpeg')
  const { rate, samples } = readWav(wav.bytes)
  // Its frames are of 72 ms, and one or two of them are the encoder's own.
  const more = (await lengthOf(mp3.bytes)) - samples.length / rate
  expect(more).toBeGreaterThanOrEqual(-0.01)
  expect(more).toBeLessThan(0.25)
  return { seconds: samples.length / rate, loudest: Math.max(...samples.map(Math.abs)) }
}

async function lengthOf(mp3: Buffer): Promise<number> {
  let seconds = 0
  for await (const { rate, samples } of decodeAudio(mp3) ?? []) seconds += samples.length / rate
  return seconds
}

const ended: [
  title: string,
  record: RecordVerb,
  after: (caller: Caller) => unknown,
  digits: string | undefined,
  seconds: [least: number, most: number],
][] = [
  ['a key ends it', {}, ({ ear }) => ear.press('#'), '#', [1.9, 2.8]],
  ['only the keys named end it', { finishOnKey: '5' }, ({ ear }) => ear.press('15'), '5', [1.9, 2.8]],
  ['silence ends it', { timeout: 2 }, () => {}, undefined, [1.9, 2.8]],
  [
    'what is not trimmed keeps its silence',
    { timeout: 2, trim: 'do-not-trim' },
    ({ ear }) => ear.hush(2500),
    undefined,
    [3.3, 5],
  ],
  [
    'silence does not end it when timeout is 0',
    { timeout: 0, trim: 'do-not-trim' },
    async ({ ear }) => {
      await ear.hush(4000)
      await ear.press('*')
    },
    '*',
    [5.8, 7.5],
  ],
  ['its longest time ends it', { maxLength: 1, timeout: 10 }, () => {}, undefined, [0.3, 1.1]],
]

test.concurrent.each(ended)('%s', async (_title, record, after, digits, [least, most]) => {
  const line = await lineWith({ recordingStatusCallbackEvent: ['in-progress', 'completed'], ...record })
  const caller = await speak(line, 2000)
  await after(caller)
  const { params } = await line.isAsked('taken')
  expect(params.Digits).toBe(digits)
  expect(params).toMatchObject({ CallStatus: 'in-progress' })
  const heard = await listen(params.RecordingUrl ?? '')
  expect(heard.seconds).toBeGreaterThan(least)
  expect(heard.seconds).toBeLessThan(most)
  expect(heard.loudest).toBeGreaterThan(0.1)
  expect(Math.abs(Number(params.RecordingDuration) - heard.seconds)).toBeLessThan(1)
  expect(await caller.sipp.result()).toBe(0)

  const [begun, told] = [await line.isAsked('told'), await line.isAsked('told', 2)]
  expect(begun.params).toMatchObject({
    ...{ RecordingStatus: 'in-progress', RecordingSid: params.RecordingSid, RecordingSource: 'RecordVerb' },
  })
  expect(told.params).toMatchObject({
    ...{ RecordingSid: params.RecordingSid, RecordingUrl: params.RecordingUrl, CallSid: params.CallSid },
    ...{ RecordingStatus: 'completed', RecordingSource: 'RecordVerb', RecordingChannels: '1' },
  })
  const [recording] = await line.client.calls(params.CallSid ?? '').recordings.list()
  expect(recording).toMatchObject({ sid: params.RecordingSid, status: 'completed', channels: 1 })
})

test.concurrent('a caller who hangs up leaves the recording, and its action is asked', async () => {
  const line = await lineWith({ recordingStatusCallbackEvent: ['in-progress', 'completed'] })
  const { sipp } = await speak(line, 2000, hangsUpAfter(2800))
  expect(await sipp.result()).toBe(0)
  const { params, atMs } = await line.isAsked('taken')
  // That it began was told while it went on.
  expect(atMs - (await line.isAsked('told')).atMs).toBeGreaterThan(1000)
  expect(params).toMatchObject({ Digits: 'hangup', CallStatus: 'completed' })
  const { seconds } = await listen(params.RecordingUrl ?? '')
  expect(seconds).toBeGreaterThan(1.8)
  expect((await line.isAsked('told', 2)).params).toMatchObject({ RecordingStatus: 'completed' })
  await line.ended('completed')
  expect(line.asked('taken')).toHaveLength(1)
  expect(line.asked('next')).toEqual([])
})

test.concurrent('a caller who hangs up before it leaves no recording', async () => {
  const line = await openLine(world)
  const response = new VoiceResponse()
  response.play({ digits: 'w'.repeat(20) })
  response.record({
    ...{ action: 'taken', recordingStatusCallback: 'told' },
    recordingStatusCallbackEvent: ['in-progress', 'completed', 'absent'],
  })
  line.answers('voice', response)
  const { sipp } = await line.call(hangsUpAfter(1000))
  await line.isAsked('voice')
  expect(await sipp.result()).toBe(0)
  await line.ended('completed')
  await new Promise((resolve) => setTimeout(resolve, 1000))
  expect([...line.asked('taken'), ...line.asked('told')]).toEqual([])
  expect(await line.client.recordings.list()).toEqual([])
})

test.concurrent('silence alone is no recording: the next verb follows', async () => {
  const line = await lineWith({ timeout: 1, recordingStatusCallbackEvent: ['absent'] })
  const { sipp } = await line.call()
  await line.isAsked('next')
  expect((await line.isAsked('told')).params).toMatchObject({ RecordingStatus: 'absent' })
  expect(await sipp.result()).toBe(0)
  expect(line.asked('taken')).toEqual([])
})

test.concurrent('a beep is heard before it, if it is to be', async () => {
  const beeping = await lineWith({ timeout: 1, playBeep: true })
  const quiet = await lineWith({ timeout: 1 })
  const [first, second] = [await beeping.call(), await quiet.call()]
  await Promise.all([first.sipp.result(), second.sipp.result()])
  expect(first.ear.heardMs()).toBeGreaterThan(300)
  expect(first.ear.heardMs()).toBeLessThan(800)
  expect(second.ear.heardMs()).toBe(0)
})

test.concurrent('one Record follows another', async () => {
  const line = await openLine(world)
  const response = new VoiceResponse()
  response.record({ action: 'again', playBeep: false, finishOnKey: '1' })
  line.answers('voice', response)
  const again = new VoiceResponse()
  again.record({ action: 'over', playBeep: false, timeout: 1, finishOnKey: '' })
  line.answers('again', again)
  line.answers('over', new VoiceResponse())
  const caller = await speak(line, 1000)
  await caller.ear.press('1')
  const first = await line.isAsked('again')
  await new Promise((resolve) => setTimeout(resolve, 300))
  await caller.ear.speak(1500)
  const second = await line.isAsked('over')
  // What ended the first says nothing of the second.
  expect([first.params.Digits, second.params.Digits]).toEqual(['1', undefined])
  expect(second.params.RecordingSid).not.toBe(first.params.RecordingSid)
  expect(await caller.sipp.result()).toBe(0)
  await until('both are told', async () =>
    (await line.client.recordings.list()).length === 2 ? true : undefined,
  )
})
