import twilio from 'twilio'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sine, wav } from '../audio/sounds.ts'
import { createProvider, expectAllSigned, type Line, openLine } from './support/line.ts'
import { ackRefusal, cancel, final, pause } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

// Say, Play, Pause, Redirect, Reject, Hangup, and what happens when a document cannot be run.

const { VoiceResponse } = twilio.twiml
type Response = InstanceType<typeof VoiceResponse>

const world = useWorld()
beforeAll(() => createProvider(world))
afterAll(() => expectAllSigned(world))

const halfSecond = { contentType: 'audio/wav', bytes: wav([sine(400, 8000, 0.5)], 8000) }

async function lineWith(write: (response: Response) => void): Promise<Line> {
  const line = await openLine(world)
  const response = new VoiceResponse()
  write(response)
  line.answers('voice', response)
  line.answersFile('sound.wav', halfSecond)
  return line
}

const gone = new VoiceResponse()
gone.hangup()

const heard: [title: string, write: (response: Response) => void, ms: [least: number, most: number]][] = [
  ['a Play is heard whole', (response) => response.play('sound.wav'), [460, 540]],
  ['three times, if it says so', (response) => response.play({ loop: 3 }, 'sound.wav'), [1400, 1600]],
  ['a Say in German', (response) => response.say({ language: 'de-DE' }, 'Guten Tag.'), [300, 3000]],
  ['an empty Say is nothing', (response) => response.say(''), [0, 0]],
]

test.concurrent.each(heard)('%s', async (_title, write, [least, most]) => {
  const line = await lineWith(write)
  const { ear, sipp } = await line.call()
  expect(await sipp.result()).toBe(0)
  expect(ear.heardMs()).toBeGreaterThanOrEqual(least)
  expect(ear.heardMs()).toBeLessThanOrEqual(most)
  await line.ended('completed')
})

test.concurrent('a Say that loops is heard twice as long', async () => {
  const [once, twice] = await Promise.all(
    [1, 2].map(async (loop) => {
      const line = await lineWith((response) => response.say({ loop }, 'Say it again, please.'))
      const { ear, sipp } = await line.call()
      expect(await sipp.result()).toBe(0)
      return ear.heardMs()
    }),
  )
  expect((twice ?? 0) / (once ?? 1)).toBeGreaterThan(1.8)
  expect((twice ?? 0) / (once ?? 1)).toBeLessThan(2.2)
})

test.concurrent('digits of a Play arrive as keys', async () => {
  const line = await lineWith((response) => response.play({ digits: '1w2*#' }))
  const { ear, sipp } = await line.call()
  expect(await sipp.result()).toBe(0)
  expect(ear.keys()).toBe('12*#')
})

test.concurrent('a Pause is silence that lasts, and a hangup ends the call', async () => {
  const line = await lineWith((response) => {
    response.say('Hello.')
    response.pause({ length: 3 })
    response.hangup()
    response.redirect('never')
  })
  const { ear, sipp } = await line.call()
  expect(await sipp.result()).toBe(0)
  expect(sipp.talkedSeconds()).toBeGreaterThan(3)
  expect(sipp.talkedSeconds()).toBeLessThan(6)
  const silent = ear.packets.slice(-100)
  expect(silent).toHaveLength(100)
  expect(silent.every(({ loudness }) => loudness < 50)).toBe(true)
  expect(line.asked('never')).toEqual([])
})

test.concurrent('a Redirect goes on at its URL: relative and absolute, by POST and by GET', async () => {
  const line = await lineWith((response) => response.redirect('second?x=1&y=a%20b'))
  const absolute = new VoiceResponse()
  absolute.redirect({ method: 'GET' }, line.url('third'))
  line.answers('second', absolute)
  line.answers('third', gone)
  const { sipp } = await line.call()
  expect(await sipp.result()).toBe(0)
  const [second] = line.asked('second')
  const [third] = line.asked('third')
  expect([second?.method, third?.method]).toEqual(['POST', 'GET'])
  expect(second?.params).toMatchObject({ x: '1', y: 'a b' })
  expect(third?.params.CallSid).toBe(second?.params.CallSid)
})

test.concurrent('a document that leads to itself for ever is left in the end, with a word why', async () => {
  const line = await lineWith((response) => response.redirect('voice'))
  const { ear, sipp } = await line.call(undefined, 150)
  expect(await sipp.result()).toBe(0)
  expect(line.asked('voice')).toHaveLength(1000)
  expect(ear.heardMs()).toBeGreaterThan(1000)
  const [log] = await world.carrier.list('error_logs', `?filter[account]=${line.account.id}`)
  expect(log?.attributes.message).toMatch(/1000 times/)
}, 180_000)

const rejected: [reason: 'busy' | 'rejected', status: number, callStatus: string][] = [
  ['busy', 486, 'busy'],
  ['rejected', 603, 'no-answer'],
]

test.concurrent.each(rejected)(
  'a Reject (%s) is %i, and never an answer',
  async (reason, status, callStatus) => {
    const line = await lineWith((response) => {
      response.pause({ length: 1 })
      response.reject({ reason })
    })
    const { sipp, ear } = await line.call([...final(status), ackRefusal()])
    expect(await sipp.result()).toBe(0)
    const answers = sipp.messages().filter(({ direction }) => direction === 'received')
    expect(answers.map(({ firstLine }) => firstLine).filter((line) => / (200|183) /.test(line))).toEqual([])
    expect(ear.packets).toEqual([])
    // The pause before it was kept.
    const invite = sipp.messages().find(({ firstLine }) => firstLine.startsWith('INVITE'))
    const refusal = answers.find(({ firstLine }) => firstLine.includes(String(status)))
    expect((refusal?.atMs ?? 0) - (invite?.atMs ?? 0)).toBeGreaterThan(950)
    const call = await line.ended(callStatus)
    expect(call.duration).toBe('0')
    const [record] = await world.carrier.list('phone_calls', `?filter[account]=${line.account.id}`)
    expect(record?.attributes.sip_response_code).toBe(status)
  },
)

const unusable: [title: string, document: string, message: RegExp][] = [
  ['an unknown verb', '<Response>\n<Say>Hello.</Say>\n<Sing/></Response>', /Line 3: <Sing> is not supported/],
  ['a nested verb that may not be', '<Response><Gather><Dial>1</Dial></Gather></Response>', /Line 1: <Dial>/],
  ['what is no XML', '<Response><Say>Hello', /not well-formed/],
  ['an empty answer', '', /empty/],
]

test.concurrent.each(unusable)(
  '%s: an apology, and an error log that says where',
  async (_title, document, message) => {
    const line = await openLine(world)
    line.answers('voice', document)
    const { ear, sipp } = await line.call()
    expect(await sipp.result()).toBe(0)
    expect(ear.heardMs()).toBeGreaterThan(1500)
    const [log] = await world.carrier.list('error_logs', `?filter[account]=${line.account.id}`)
    expect(log?.attributes.message).toMatch(message)
  },
)

test.concurrent('the fallback is asked when the first gives nothing, and told why', async () => {
  const line = await openLine(world)
  await line.client.incomingPhoneNumbers(String(line.incoming.attributes.sid)).update({
    voiceUrl: line.url('missing'),
    voiceFallbackUrl: line.url('instead'),
  })
  line.answers('instead', gone)
  const { sipp } = await line.call()
  expect(await sipp.result()).toBe(0)
  const [request] = line.asked('instead')
  expect(request?.params).toMatchObject({ ErrorCode: '11200', ErrorUrl: line.url('missing') })
})

test.concurrent('a webhook that takes four seconds: the call waits in silence, and a hangup is seen at once', async () => {
  const line = await openLine(world)
  const slowly = async () => {
    await new Promise((resolve) => setTimeout(resolve, 4000))
    return '<Response><Say>At last.</Say></Response>'
  }
  line.answers('voice', slowly)
  const early = ['<recv response="100" optional="true"/>', '<recv response="183"/>']
  const [patient, hasty] = await Promise.all([line.call(), line.call([...early, pause(500), ...cancel()])])
  expect(await hasty.sipp.result()).toBe(0)
  const messages = hasty.sipp.messages()
  const at = (start: string) => messages.find(({ firstLine }) => firstLine.startsWith(start))?.atMs ?? 0
  expect(at('SIP/2.0 487') - at('CANCEL')).toBeLessThan(300)
  await line.ended('no-answer')
  // Its webhook has not even answered.
  expect(Date.now() - at('INVITE')).toBeLessThan(4000)
  expect(await patient.sipp.result()).toBe(0)
  expect(patient.ear.heardMs()).toBeGreaterThan(200)
  await line.ended('completed')
})
