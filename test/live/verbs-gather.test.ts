import twilio from 'twilio'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sine, wav } from '../audio/sounds.ts'
import { type Caller, createProvider, expectAllSigned, type Line, openLine } from './support/line.ts'
import { until } from './support/programs.ts'
import { useWorld } from './support/world.ts'

// Documents as Twilio's package writes them; keys as a telephone presses them (RFC 4733).

const { VoiceResponse } = twilio.twiml
type Gather = NonNullable<Parameters<InstanceType<typeof VoiceResponse>['gather']>[0]>

const world = useWorld()
beforeAll(() => createProvider(world))
afterAll(() => expectAllSigned(world))

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const long =
  'Welcome to the longest menu that anybody has ever listened to, please do take your time. '.repeat(2)

/** A line whose document is a Gather and, when nobody presses anything, a way to `next`. */
async function lineWith(
  gather: Gather,
  prompt?: (verb: ReturnType<InstanceType<typeof VoiceResponse>['gather']>) => void,
) {
  const line = await openLine(world)
  const response = new VoiceResponse()
  const verb = response.gather({ action: 'pressed', ...gather })
  prompt?.(verb)
  response.redirect('next')
  line.answers('voice', response)
  const over = new VoiceResponse()
  over.hangup()
  line.answers('pressed', over)
  line.answers('next', over)
  return line
}

/** Calls, waits until the Gather listens, and presses keys. */
async function press(line: Line, ...keys: string[]): Promise<Caller & { atMs: number }> {
  const caller = await line.call()
  await caller.answered()
  await pause(700)
  for (const [index, some] of keys.entries()) {
    if (index > 0) await pause(700)
    await caller.ear.press(some)
  }
  return { ...caller, atMs: Date.now() }
}

const quick: [title: string, gather: Gather, keys: string[], digits: string, finishedOnKey: string][] = [
  ['numDigits ends it', { numDigits: 3 }, ['123'], '123', ''],
  ['# ends it', {}, ['42#'], '42', '#'],
  ['any other finishOnKey ends it', { finishOnKey: '*' }, ['4#7*'], '4#7', '*'],
  ['a digit may be the finishOnKey', { finishOnKey: '0' }, ['120'], '12', '0'],
  ['keys that come slowly are one entry', { numDigits: 2, timeout: 3 }, ['1', '2'], '12', ''],
]

test.concurrent.each(quick)('%s', async (_title, gather, keys, digits, finishedOnKey) => {
  const line = await lineWith(gather)
  const { sipp, atMs } = await press(line, ...keys)
  const request = await line.isAsked('pressed')
  expect(request.atMs - atMs).toBeLessThan(1500)
  expect(request.params).toMatchObject({
    ...{ Digits: digits, FinishedOnKey: finishedOnKey },
    ...{ CallStatus: 'in-progress', Direction: 'inbound' },
  })
  expect(await sipp.result()).toBe(0)
  expect(line.asked('next')).toEqual([])
})

test.concurrent('without a finishing key only the timeout ends it', async () => {
  const line = await lineWith({ finishOnKey: '', timeout: 2 })
  const { sipp, atMs } = await press(line, '1#')
  const request = await line.isAsked('pressed')
  expect(request.params.Digits).toBe('1#')
  expect(request.atMs - atMs).toBeGreaterThan(1500)
  expect(request.atMs - atMs).toBeLessThan(3500)
  expect(await sipp.result()).toBe(0)
})

test.concurrent('a key stops the prompt at once', async () => {
  const line = await lineWith({ numDigits: 1 }, (gather) => gather.say(long))
  const caller = await line.call()
  await caller.answered()
  await until('the prompt is heard', () => (caller.ear.heardMs() > 300 ? true : undefined))
  const pressedAt = Date.now()
  await caller.ear.press('5')
  const at = Date.now()
  const request = await line.isAsked('pressed')
  expect(request.params.Digits).toBe('5')
  expect(request.atMs - at).toBeLessThan(1000)
  expect(await caller.sipp.result()).toBe(0)
  // The whole of it takes about nine seconds; a key is down for a tenth of one.
  const loud = caller.ear.packets.filter(({ loudness }) => loudness > 200)
  expect((loud.at(-1)?.atMs ?? 0) - pressedAt).toBeLessThan(500)
  expect(caller.ear.heardMs()).toBeLessThan(2500)
})

test.concurrent('silence of timeout seconds after the prompt leads to the next verb', async () => {
  const line = await lineWith({ timeout: 2 }, (gather) => gather.say('Press a key, please.'))
  const { ear, sipp } = await line.call()
  const request = await line.isAsked('next')
  const loud = ear.packets.filter(({ loudness }) => loudness > 200)
  const waited = request.atMs - (loud.at(-1)?.atMs ?? 0)
  expect(loud.length).toBeGreaterThan(20)
  expect(waited).toBeGreaterThan(1800)
  expect(waited).toBeLessThan(3500)
  expect(request.params).not.toHaveProperty('Digits')
  expect(line.asked('pressed')).toEqual([])
  expect(await sipp.result()).toBe(0)
})

test.concurrent('actionOnEmptyResult asks the action all the same, and by GET when it says so', async () => {
  const line = await lineWith({ timeout: 1, actionOnEmptyResult: true, method: 'GET' })
  const { sipp } = await line.call()
  const request = await line.isAsked('pressed')
  expect(request.method).toBe('GET')
  expect(request.params).toMatchObject({ Digits: '', FinishedOnKey: '' })
  expect(await sipp.result()).toBe(0)
  expect(line.asked('next')).toEqual([])
})

test.concurrent('the finishing key alone is an empty result', async () => {
  const line = await lineWith({ timeout: 5 })
  const { sipp, atMs } = await press(line, '#')
  expect((await line.isAsked('next')).atMs - atMs).toBeLessThan(1500)
  expect(await sipp.result()).toBe(0)
})

test.concurrent('keys that were pressed before it are not its digits', async () => {
  const line = await openLine(world)
  const response = new VoiceResponse()
  response.pause({ length: 2 })
  response.gather({ action: 'pressed', timeout: 1, numDigits: 1 })
  response.redirect('next')
  line.answers('voice', `${response}`.replace('<Pause', '<Say>Hello.</Say><Pause'))
  line.answers('next', new VoiceResponse())
  const { sipp } = await press(line, '9')
  await line.isAsked('next')
  expect(line.asked('pressed')).toEqual([])
  expect(await sipp.result()).toBe(0)
})

test.concurrent('Say, Play and Pause inside it are heard in their order', async () => {
  const line = await lineWith({ timeout: 1 }, (gather) => {
    gather.play('beep')
    gather.pause({ length: 2 })
    gather.play({ loop: 2 }, 'beep')
  })
  line.answersFile('beep', { contentType: 'audio/wav', bytes: wav([sine(400, 8000, 0.5)], 8000) })
  const { ear, sipp } = await line.call()
  await line.isAsked('next')
  expect(await sipp.result()).toBe(0)
  expect(ear.heardMs()).toBeGreaterThan(1400)
  expect(ear.heardMs()).toBeLessThan(1700)
  const loud = ear.packets.filter(({ loudness }) => loudness > 200).map(({ atMs }) => atMs)
  const gaps = loud.slice(1).map((at, index) => at - (loud[index] ?? 0))
  expect(Math.max(...gaps)).toBeGreaterThan(1800)
  expect(Math.max(...gaps)).toBeLessThan(2500)
})

test.concurrent('without an action the document itself is asked again, with the digits', async () => {
  const line = await openLine(world)
  const response = new VoiceResponse()
  response.gather({ numDigits: 1 })
  line.answers('voice', ({ params }) => (params.Digits === undefined ? `${response}` : '<Response/>'))
  const { sipp } = await press(line, '7')
  expect((await line.isAsked('voice', 2)).params).toMatchObject({ Digits: '7' })
  expect(await sipp.result()).toBe(0)
})
