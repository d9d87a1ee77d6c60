import twilio from 'twilio'
import { beforeAll, expect, test } from 'vitest'
import { legsOf, lineThatDials as lineOf, useFarEnds } from './support/dialling.ts'
import { hangsUpAfter, type Line } from './support/line.ts'
import { until } from './support/programs.ts'
import { ackRefusal, cancel, final, pause } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

// How a Dial ends, by what the far end does (pbx/freeswitch.xml), and what is said of it: to the action, in the API, in the
// record of each leg.

const { VoiceResponse } = twilio.twiml

const world = useWorld()
const farEnds = useFarEnds(world)
beforeAll(() => farEnds.trunk('165', { name: 'Behind the gateway', outbound_host: farEnds.pbx?.sip }))
const lineThatDials = (numbers: readonly string[], dial?: Parameters<typeof lineOf>[2]) =>
  lineOf(world, numbers, dial)

const record = async (line: Line, to: string) => {
  const records = await world.carrier.list('phone_calls', `?filter[account]=${line.account.id}`)
  return records.find(({ attributes }) => attributes.to === to)
}

const outcomes: [number: string, dialCallStatus: string, legStatus: string, sip: number | null][] = [
  ['+16505550200', 'completed', 'completed', 200],
  ['+16505550486', 'busy', 'busy', 486],
  ['+16505550480', 'no-answer', 'no-answer', 480],
  ['+16505550403', 'failed', 'failed', 403],
  ['+16505550404', 'failed', 'failed', 404],
  ['+16505550503', 'failed', 'failed', 503],
  ['+16505550603', 'failed', 'failed', 603],
  ['+16525550001', 'failed', 'failed', 503],
]

test.concurrent.each(outcomes)(
  '%s: the Dial is %s, its leg %s (%s)',
  async (number, dialled, status, sip) => {
    const line = await lineThatDials([number])
    const { sipp } = await line.call()
    const { params } = await line.isAsked('dialled')
    expect(await sipp.result()).toBe(0)
    expect(params.DialCallStatus).toBe(dialled)
    const [leg, ...more] = await legsOf(line, params.CallSid)
    expect(more).toEqual([])
    expect(leg).toMatchObject({ direction: 'outbound-dial', to: number, from: '+19175551234', status })
    expect(params.DialCallSid).toBe(leg?.sid)
    expect(params.DialCallDuration).toBe(dialled === 'completed' ? leg?.duration : undefined)
    const shown = await world.carrier.show('phone_calls', (await record(line, number))?.id ?? '')
    expect(shown.attributes).toMatchObject({ sip_response_code: sip, direction: 'outbound-dial' })
    expect(shown).toMatchObject({
      relationships: { sip_trunk: { data: { id: farEnds.trunks.get(number.slice(1, 5))?.id } } },
    })
    expect(line.asked('next')).toEqual([])
  },
)

test.concurrent('a host that nobody is at', async () => {
  const line = await lineThatDials(['+16515550001'], { timeout: 5 })
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  expect(['failed', 'no-answer']).toContain(params.DialCallStatus)
  expect(await sipp.result()).toBe(0)
  const [leg] = await legsOf(line, params.CallSid)
  expect(leg?.status).toBe(params.DialCallStatus)
})

test.concurrent('no trunk leads there: nobody is rung, and the log says so', async () => {
  const line = await lineThatDials(['+12125550001'])
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  expect(await sipp.result()).toBe(0)
  expect(params).toMatchObject({ DialCallStatus: 'failed' })
  const [log] = await world.carrier.list('error_logs', `?filter[account]=${line.account.id}`)
  expect(log?.attributes).toMatchObject({ type: 'dial.no_route', details: { code: 13224, line: 1 } })
  expect((await legsOf(line, params.CallSid))[0]).toMatchObject({ status: 'failed', to: '+12125550001' })
})

test.concurrent('with failover: the next trunk is tried when the first reaches nobody', async () => {
  // Refused there, and reached through the trunk that is next by prefix; nobody hears of the first but the record.
  const line = await lineThatDials(['+16525550200'])
  await world.carrier.update(line.account, { failover: true })
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  expect(await sipp.result()).toBe(0)
  const [first, second] = await legsOf(line, params.CallSid)
  expect([first?.status, second?.status]).toEqual(['failed', 'completed'])
  expect(params).toMatchObject({ DialCallStatus: 'completed', DialCallSid: second?.sid })
})

test.concurrent('it rings for timeout seconds', async () => {
  const line = await lineThatDials(['+16505550180'], { timeout: 3 })
  const { sipp, answered } = await line.call()
  await answered()
  const answeredAt = Date.now()
  const request = await line.isAsked('dialled')
  expect(request.params.DialCallStatus).toBe('no-answer')
  // FreeSWITCH counts full seconds of the clock, of which the first is cut short.
  expect(request.atMs - answeredAt).toBeGreaterThan(1800)
  expect(request.atMs - answeredAt).toBeLessThan(4000)
  expect(await sipp.result()).toBe(0)
  expect((await legsOf(line, request.params.CallSid))[0]?.status).toBe('no-answer')
})

test.concurrent('they talk for timeLimit seconds', async () => {
  const line = await lineThatDials(['+16505550001'], { timeLimit: 2 })
  const { sipp, ear } = await line.call()
  const { params } = await line.isAsked('dialled')
  expect(params).toMatchObject({ DialCallStatus: 'completed', DialCallDuration: '2' })
  expect(ear.heardMs()).toBeGreaterThan(500)
  expect(await sipp.result()).toBe(0)
})

test.concurrent('of two that ring at once the first to answer wins, the other is cancelled', async () => {
  const line = await lineThatDials(['+16505550180', '+16505550200'])
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  const [loser, winner] = await legsOf(line, params.CallSid)
  expect([loser?.status, winner?.status]).toEqual(['canceled', 'completed'])
  expect(params).toMatchObject({ DialCallStatus: 'completed', DialCallSid: winner?.sid })
  expect(await sipp.result()).toBe(0)
})

test.concurrent('one after the other: the second is rung when the first is busy', async () => {
  const line = await lineThatDials(['+16505550486', '+16505550200'], { sequential: true })
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  const [first, second] = await legsOf(line, params.CallSid)
  expect([first?.status, second?.status]).toEqual(['busy', 'completed'])
  expect(params).toMatchObject({ DialCallStatus: 'completed', DialCallSid: second?.sid })
  expect(await sipp.result()).toBe(0)
})

test.concurrent('a trunk without a channel left: that leg fails, the other is rung', async () => {
  const line = await lineThatDials(['+16535550180', '+16535550200', '+16505550200'])
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  const legs = await legsOf(line, params.CallSid)
  expect(legs.map(({ status }) => status)).toEqual(['canceled', 'failed', 'completed'])
  expect(await sipp.result()).toBe(0)
  // Its one channel is free again.
  const again = await lineThatDials(['+16535550200'])
  await again.call()
  expect((await again.isAsked('dialled')).params.DialCallStatus).toBe('completed')
})

test.concurrent('without an action the next verb follows, whoever hung up', async () => {
  const line = await lineThatDials(['+16505550200'], null)
  const { sipp } = await line.call()
  expect((await line.isAsked('next')).params).not.toHaveProperty('DialCallStatus')
  expect(await sipp.result()).toBe(0)
})

test.concurrent('a caller who hangs up ends the leg, and the action is asked', async () => {
  const line = await lineThatDials(['+16505550001'])
  const { sipp } = await line.call(hangsUpAfter(2500))
  expect(await sipp.result()).toBe(0)
  const { params } = await line.isAsked('dialled')
  const [leg] = await legsOf(line, params.CallSid)
  expect(leg?.status).toBe('completed')
  expect(params).toMatchObject({
    ...{ CallStatus: 'completed', DialCallStatus: 'completed', DialCallSid: leg?.sid },
    DialCallDuration: leg?.duration,
  })
})

test.concurrent('a caller who gives up while it rings cancels every leg', async () => {
  const line = await lineThatDials(['+16505550180', '+16505560180'], { answerOnBridge: true })
  const early = ['<recv response="100" optional="true"/>', '<recv response="180"/>']
  const { sipp } = await line.call([...early, pause(1000), ...cancel()])
  expect(await sipp.result()).toBe(0)
  const { params } = await line.isAsked('dialled')
  expect(params).toMatchObject({ DialCallStatus: 'canceled', CallStatus: 'no-answer' })
  const legs = await legsOf(line, params.CallSid)
  expect(legs.map(({ status }) => status)).toEqual(['canceled', 'canceled'])
})

test.concurrent('answerOnBridge: the caller is answered by the far end, or not at all', async () => {
  const line = await lineThatDials(['+16505550001'], { answerOnBridge: true, timeLimit: 1 })
  const { sipp } = await line.call()
  expect(await sipp.result()).toBe(0)
  const at = (start: string) =>
    sipp.messages().find(({ firstLine }) => firstLine.startsWith(start))?.atMs ?? Number.NaN
  expect(at('SIP/2.0 200 OK') - at('SIP/2.0 180')).toBeGreaterThan(200)

  const busy = await lineThatDials(['+16505550486'], { answerOnBridge: true })
  const rejecting = new VoiceResponse()
  rejecting.reject({ reason: 'busy' })
  busy.answers('dialled', rejecting)
  const caller = await busy.call([...final(486), ackRefusal()])
  expect(await caller.sipp.result()).toBe(0)
})

test.concurrent('hangupOnStar: the caller leaves the Dial and stays in the call', async () => {
  const line = await lineThatDials(['+16505550001'], { hangupOnStar: true })
  const { sipp, ear } = await line.call()
  await until('they are joined', () => (ear.heardMs() > 2500 ? true : undefined))
  await ear.press('*')
  const { params } = await line.isAsked('dialled')
  expect(params).toMatchObject({ DialCallStatus: 'completed', CallStatus: 'in-progress' })
  expect(await sipp.result()).toBe(0)
})

test('nothing is left at the switch, and each leg has one record', async () => {
  await until('no channel is left', async () =>
    JSON.parse(await world.freeswitch.api('show channels as json')).row_count === 0 ? true : undefined,
  )
})
