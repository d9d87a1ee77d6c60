import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import twilio from 'twilio'
import { expect, test } from 'vitest'
import { openEmbedded, rows } from '../../src/db/connect.ts'
import { dialling, lineThatDials, useFarEnds } from './support/dialling.ts'
import { type Line, openLine } from './support/line.ts'
import { useWorld } from './support/world.ts'

// What an action is told of its Dial is true already when it is asked: it may look its legs up, or dial again over the
// channel that they had. In the end each leg has one record, and nobody's channel is taken.

const { VoiceResponse } = twilio.twiml
const world = useWorld()
const farEnds = useFarEnds(world)

type Leg = Awaited<ReturnType<Line['client']['calls']['list']>>[number]

/** The line's legs as its action finds them, in the order in which they were dialled. */
function legsAtAction(line: Line): Leg[][] {
  const found: Leg[][] = []
  line.answers('dialled', async ({ params }) => {
    const legs = await line.client.calls.list({ parentCallSid: params.CallSid ?? '' })
    found.push(legs.reverse())
    return new VoiceResponse().toString()
  })
  return found
}

const said = ({ status, duration, endTime }: Leg) =>
  `${status} ${duration} ${endTime === null ? 'goes on' : 'over'}`

const dials: [numbers: string[], timeout: number, dialled: string, legs: string[]][] = [
  [['+16505550200'], 30, 'completed', ['completed 1 over']],
  [['+16505550486'], 30, 'busy', ['busy 0 over']],
  [['+16505550480'], 30, 'no-answer', ['no-answer 0 over']],
  [['+16505550403'], 30, 'failed', ['failed 0 over']],
  [['+16505550404'], 30, 'failed', ['failed 0 over']],
  [['+16505550503'], 30, 'failed', ['failed 0 over']],
  [['+16505550180'], 2, 'no-answer', ['no-answer 0 over']],
  [['+16525550001'], 30, 'failed', ['failed 0 over']],
  [['+16515550001'], 2, 'failed', ['failed 0 over']],
  [['+16545550001'], 30, 'failed', ['failed 0 over']],
  [['+16505550180', '+16505550200'], 30, 'completed', ['canceled 0 over', 'completed 1 over']],
  [['+16505550486', '+16505550180'], 2, 'no-answer', ['busy 0 over', 'no-answer 0 over']],
  [['+16505550486', '+16505550404'], 30, 'busy', ['busy 0 over', 'failed 0 over']],
  [['+16505550404', '+16505550486'], 30, 'busy', ['failed 0 over', 'busy 0 over']],
  [['+16525550001', '+16505550486'], 30, 'busy', ['failed 0 over', 'busy 0 over']],
  [['+16525550001', '+16505550200'], 30, 'completed', ['failed 0 over', 'completed 1 over']],
  [['+16545550001', '+16505550404'], 30, 'failed', ['failed 0 over', 'failed 0 over']],
]

test.concurrent.each(dials)('%j for %i s: %s', async (numbers, timeout, dialled, legs) => {
  const line = await lineThatDials(world, numbers, { timeout })
  const found = legsAtAction(line)
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  expect(await sipp.result()).toBe(0)
  expect(found[0]?.map(said)).toEqual(legs)
  expect(params.DialCallStatus).toBe(dialled)
})

// At a PBX that takes UDP and TCP. There is no TLS on the switch: what must be encrypted is not called in the clear.
const uris: [uri: string, dialled: string][] = [
  ['sip:bob0200@PBX', 'completed'],
  ['sip:bob0200@PBX;transport=tcp', 'completed'],
  ['sip:bob0486@PBX;transport=tcp', 'busy'],
  ['sip:bob0404@PBX', 'failed'],
  ['sip:bob0480@PBX', 'no-answer'],
  ['sip:bob0200@127.0.0.9:5999;transport=tcp', 'failed'],
  ['sip:bob0200@PBX;transport=tls', 'failed'],
  ['sips:bob0200@PBX', 'failed'],
]

test.concurrent.each(uris)('%s: %s', async (uri, dialled) => {
  const line = await lineThatDials(world, [uri.replace('PBX', farEnds.pbx?.sip ?? '')], { timeout: 5 })
  const found = legsAtAction(line)
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  expect(await sipp.result()).toBe(0)
  expect(params).toMatchObject({ DialCallStatus: dialled, DialCallSid: found[0]?.[0]?.sid })
  expect(found[0]?.map(said)).toEqual([`${dialled} ${dialled === 'completed' ? 1 : 0} over`])
})

const reports: [numbers: string[], told: string[]][] = [
  [['+16505550486'], ['0 initiated', '1 busy']],
  [['+16505550404'], ['0 initiated', '1 failed']],
  [['+16505550180'], ['0 initiated', '1 ringing', '2 no-answer']],
  [['+16525550001'], ['0 initiated', '1 failed']],
  [['+16545550001'], ['0 failed']],
  [['+16505550200'], ['0 initiated', '1 ringing', '2 in-progress', '3 completed']],
]

test.concurrent.each(reports)('%j: each step of a leg is told in order, once', async (numbers, told) => {
  const line = await lineThatDials(
    world,
    numbers,
    { timeout: 2 },
    {
      ...{ statusCallback: 'told', statusCallbackEvent: ['initiated', 'ringing', 'answered', 'completed'] },
    },
  )
  line.answers('told', '')
  const found = legsAtAction(line)
  const { sipp } = await line.call()
  const { params } = await line.isAsked('dialled')
  expect(await sipp.result()).toBe(0)
  await line.isAsked('told', told.length)
  await setTimeout(1000)
  const steps = line.asked('told').map((request) => request.params)
  expect(steps.map(({ SequenceNumber, CallStatus }) => `${SequenceNumber} ${CallStatus}`)).toEqual(told)
  for (const step of steps)
    expect(step).toMatchObject({ CallSid: found[0]?.[0]?.sid, ParentCallSid: params.CallSid })
})

const ends = ['0486', '0200', '0404', '0180', '0480', '0503', '0200', '0603', '0486']

test('a channel that a Dial had is free for the next Dial of its action, however it ended', async () => {
  const line = await openLine(world)
  const [first, ...more] = ends.map((end) => dialling([`+1653555${end}`], { timeout: 1 }))
  line.answers('voice', first ?? '')
  line.answers('dialled', () => String(more.shift() ?? new VoiceResponse()))
  const { sipp } = await line.call()
  await line.isAsked('dialled', ends.length, 60_000)
  expect(await sipp.result()).toBe(0)
  expect(line.asked('dialled').map(({ params }) => params.DialCallStatus)).toEqual([
    ...['busy', 'completed', 'failed', 'no-answer', 'no-answer', 'failed', 'completed', 'failed', 'busy'],
  ])
})

test('each leg that became a channel has one record, any other none', async () => {
  await world.server.stop()
  const { db, close } = await openEmbedded(join(world.folder, 'server-data', 'postgres'))
  const counts = await rows<{ to: string; records: number; legs: number }>(
    db,
    sql`SELECT "to", records, count(*)::integer AS legs FROM (
        SELECT left(c.to_number, 5) AS "to", count(r.channel_uuid)::integer AS records
        FROM phone_calls c LEFT JOIN cdrs r ON r.call_id = c.id
        WHERE c.direction = 'outbound-dial' AND c.to_number LIKE '+%' GROUP BY c.id) AS each
      GROUP BY 1, 2 ORDER BY 1`,
  )
  await close()
  const wanted = [...dials, ...reports].flatMap(([numbers]) => numbers.map((number) => number.slice(0, 5)))
  const legs = (prefix: string) => wanted.filter((start) => start === prefix).length
  expect(counts).toEqual([
    ...['+1650', '+1651'].map((to) => ({ to, records: 1, legs: legs(to) })),
    { to: '+1652', records: 0, legs: legs('+1652') },
    { to: '+1653', records: 1, legs: ends.length },
    { to: '+1654', records: 0, legs: legs('+1654') },
  ])
})
