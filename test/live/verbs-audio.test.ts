import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import twilio from 'twilio'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeMp3 } from '../../src/audio/recording-file.ts'
import { sine, wav } from '../audio/sounds.ts'
import { createProvider, expectAllSigned, hangsUpAfter, type Line, openLine } from './support/line.ts'
import { until } from './support/programs.ts'
import type { Ear } from './support/rtp.ts'
import type { Sipp } from './support/sipp.ts'
import type { Answer } from './support/webhook.ts'
import { useWorld } from './support/world.ts'

// What callers hear of Say and Play, when their sound is ready, late, or none. The speech program is one that speaks a
// tenth of a second a character, and does not when it is told to fail.

const { VoiceResponse } = twilio.twiml
type Response = InstanceType<typeof VoiceResponse>

const speechProgram = `${process.execPath} ${join(import.meta.dirname, '../audio/fake-speech.mjs')}`
const world = useWorld({}, { TTS_COMMAND: speechProgram })
beforeAll(() => createProvider(world))
afterAll(() => expectAllSigned(world))

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const second = sine(400, 8000, 1)
const file = (bytes: Buffer, contentType = 'audio/wav') => ({ contentType, bytes })
const later = (ms: number, bytes: Buffer) => async () => {
  await pause(ms)
  return file(bytes)
}

async function lineWith(write: (response: Response) => void, sound?: Answer): Promise<Line> {
  const line = await openLine(world)
  const response = new VoiceResponse()
  write(response)
  line.answers('voice', response)
  line.answersFile('sound', sound)
  line.answers('next', new VoiceResponse())
  return line
}

/** Milliseconds between two messages of a call. */
function between(sipp: Sipp, from: string, to: string, nth = 0): number {
  const at = (start: string, skip = 0) =>
    sipp.messages().filter(({ firstLine }) => firstLine.startsWith(start))[skip]?.atMs ?? Number.NaN
  return at(to, nth) - at(from)
}

/** The longest silence between two loud parts. */
function longestGap({ packets }: Ear): number {
  const loud = packets.filter(({ loudness }) => loudness > 200).map(({ atMs }) => atMs)
  return Math.max(...loud.slice(1).map((at, index) => at - (loud[index] ?? 0)))
}

const sounds: [title: string, make: () => Promise<Buffer> | Buffer, contentType: string][] = [
  ['MP3', () => buffer(Readable.from(encodeMp3(Readable.from([wav([second], 8000)])))), 'audio/mpeg'],
  [
    'stereo WAV of 44.1 kHz',
    () => wav([sine(400, 44100, 1), sine(400, 44100, 1)], 44100, 'pcm24'),
    'audio/x-wav',
  ],
  ['WAV that is called text', () => wav([second], 8000), 'text/plain'],
]

test.concurrent.each(sounds)('a Play of %s is heard whole', async (_title, make, contentType) => {
  const line = await lineWith((response) => response.play('sound'), file(await make(), contentType))
  const { ear, sipp } = await line.call()
  expect(await sipp.result()).toBe(0)
  expect(ear.heardMs()).toBeGreaterThan(940)
  expect(ear.heardMs()).toBeLessThan(1250)
})

const unheard: [
  title: string,
  write: (response: Response) => void,
  sound: Answer | undefined,
  why: RegExp,
][] = [
  ['a page instead of a sound', (r) => r.play('sound'), '<html>', /is neither WAV nor MP3/],
  ['a file that is not there', (r) => r.play('sound'), undefined, /answered 404/],
  ['one that is too large', (r) => r.play('sound'), file(Buffer.alloc(21 << 20)), /more than \d+ bytes/],
  ['one that does not come', (r) => r.play('sound'), later(40_000, Buffer.alloc(0)), /took longer|in time/],
  ['speech that fails', (r) => r.say('fail'), undefined, /ended with 3/],
  ['speech that does not end', (r) => r.say('stall'), undefined, /took too long/],
]

test.concurrent.each(unheard)(
  'nothing is heard of %s, the next verb follows, the carrier reads why',
  async (_title, write, sound, why) => {
    const line = await lineWith((response) => {
      write(response)
      response.redirect('next')
    }, sound)
    const { ear, sipp } = await line.call()
    await line.isAsked('next', 1, 40_000)
    expect(await sipp.result()).toBe(0)
    expect(ear.heardMs()).toBe(0)
    const [log] = await until('it is logged', async () => {
      const logs = await world.carrier.list('error_logs', `?filter[account]=${line.account.id}`)
      return logs.length > 0 ? logs : undefined
    })
    expect(log?.attributes.message).toMatch(why)
  },
)

test.concurrent('a sound that comes late holds up its own call only', async () => {
  const slow = await lineWith((response) => response.play('sound'), later(5000, wav([second], 8000)))
  const quick = await lineWith((response) => response.say('0123456789'))
  const waiting = await slow.call()
  await waiting.answered()
  const { ear, sipp } = await quick.call()
  expect(await sipp.result()).toBe(0)
  expect(ear.heardMs()).toBeGreaterThan(940)
  expect(sipp.talkedSeconds()).toBeLessThan(3)
  expect(waiting.ear.heardMs()).toBe(0)
  expect(await waiting.sipp.result()).toBe(0)
  expect(waiting.ear.heardMs()).toBeGreaterThan(940)
  // FreeSWITCH got its actions at once.
  expect(between(waiting.sipp, 'INVITE', 'SIP/2.0 200')).toBeLessThan(2000)
})

test.concurrent('a caller who hangs up before a late sound has come is let go at once', async () => {
  const line = await lineWith((response) => response.play('sound'), later(8000, wav([second], 8000)))
  const { sipp } = await line.call(hangsUpAfter(1500))
  expect(await sipp.result()).toBe(0)
  expect(between(sipp, 'BYE', 'SIP/2.0 200', 1)).toBeLessThan(500)
})

test.concurrent('what stands behind a long prompt is made ready while it plays', async () => {
  const line = await lineWith(
    (response) => {
      response.say('01234567890123456789')
      response.play('sound')
    },
    later(1500, wav([second], 8000)),
  )
  const { ear, sipp } = await line.call()
  expect(await sipp.result()).toBe(0)
  expect(ear.heardMs()).toBeGreaterThan(2900)
  expect(longestGap(ear)).toBeLessThan(250)
})
