import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Business, type Call, createBusiness } from './support/account.ts'
import { type FreeSwitch, startFreeSwitch } from './support/freeswitch.ts'
import { until } from './support/programs.ts'
import { ack, final, hungUp, invite } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

// The far end (pbx/freeswitch.xml) rings, answers after 300 ms and then sends a tone.

const world = useWorld()
let business: Business
let pbx: FreeSwitch

beforeAll(async () => {
  const { server, carrier, webhook, folder } = world
  business = await createBusiness(server, carrier, webhook)
  pbx = await startFreeSwitch(folder, {
    ...{ name: 'pbx', conf: join(import.meta.dirname, 'pbx'), profile: 'pbx' },
    env: { PBX_AUTH_CALLS: 'false' },
  })
  await carrier.create('sip_trunks', {
    ...{ name: 'PBX', authentication_mode: 'ip_address', region: 'hydrogen', inbound_country: 'US' },
    ...{ inbound_source_ips: ['127.0.0.2'], outbound_host: pbx.sip },
  })
  webhook.answer('/gather', '<Response><Gather timeout="60"><Pause length="50"/></Gather></Response>')
  webhook.answer('/record', '<Response><Record maxLength="60" timeout="60"/></Response>')
  webhook.answer(
    '/dial',
    '<Response><Dial action="/after-dial" timeout="20"><Number>+16505550009</Number></Dial></Response>',
  )
  webhook.answer('/pause', '<Response><Pause length="60"/></Response>')
  webhook.answer('/moved', '<Response><Pause length="1"/><Hangup/></Response>')
  webhook.answer('/after-dial', '<Response><Hangup/></Response>')
})
afterAll(() => pbx?.stop('SIGKILL'))

const channelsOf = async (freeswitch: FreeSwitch) =>
  JSON.parse(await freeswitch.api('show channels as json')).row_count as number

/** A call that has come so far as to run the TwiML at the path. */
async function running(path: string): Promise<Call> {
  const before = world.webhook.requests(path).length
  const call = await business.call('+16505550001', { url: world.webhook.url(path) })
  await business.reaches(call, 'in-progress')
  await until('the TwiML is asked for', () =>
    world.webhook.requests(path).length > before ? true : undefined,
  )
  await new Promise((resolve) => setTimeout(resolve, 700))
  return call
}

const askedOf = (path: string, { sid }: { sid: string }) =>
  world.webhook.requests(path).filter(({ params }) => params.CallSid === sid)

/** An inbound call whose Gather runs, and its caller. */
async function inboundCall() {
  const { carrier, webhook } = world
  const [number] = await carrier.list('incoming_phone_numbers')
  if (number === undefined) throw new Error('The business has a number.')
  await carrier.update(number, { voice_url: webhook.url('/gather') })
  const caller = await world.sipp({
    steps: [invite(), ...final(200), ack(), ...hungUp()],
    ...{ from: '127.0.0.2', number: business.number.slice(1) },
  })
  const call = await until('the call is there', async () => {
    const [newest] = await business.client.calls.list({ limit: 1 })
    return newest?.direction === 'inbound' && newest.status === 'in-progress' ? newest : undefined
  })
  return { caller, call }
}

describe('a running call goes on with other TwiML at once', () => {
  test.each(['/gather', '/record', '/pause', '/dial'])('inside %s', async (path) => {
    const call = await running(path)
    const at = Date.now()
    await business.client.calls(call.sid).update({ url: world.webhook.url('/moved') })
    const [request] = await until('the new TwiML is asked for', () => {
      const asked = askedOf('/moved', call)
      return asked.length > 0 ? asked : undefined
    })
    expect((request?.atMs ?? 0) - at).toBeLessThan(1000)
    expect(request?.params).toMatchObject({ CallSid: call.sid, CallStatus: 'in-progress' })
    const ended = await business.reaches(call, 'completed')
    expect(Date.now() - at).toBeLessThan(5000)
    // The new document is run whole: a second of silence, then the end.
    expect(ended.endTime.getTime() + 999 - (request?.atMs ?? 0)).toBeGreaterThanOrEqual(1000)
    expect(Date.now() - (request?.atMs ?? 0)).toBeGreaterThanOrEqual(1000)
    expect(askedOf('/moved', call)).toHaveLength(1)
    expect(askedOf('/after-dial', call)).toEqual([])
    await until('no channel is left', async () =>
      (await channelsOf(world.freeswitch)) === 0 ? true : undefined,
    )
  })

  test('with a document that comes along', async () => {
    const call = await running('/gather')
    await business.client.calls(call.sid).update({ twiml: '<Response><Hangup/></Response>' })
    await business.reaches(call, 'completed')
  })

  test('the leg of a Dial that was joined has its own end', async () => {
    const call = await running('/dial')
    const [leg] = await until('the leg is joined', async () => {
      const legs = await business.client.calls.list({ parentCallSid: call.sid })
      return legs[0]?.status === 'in-progress' ? legs : undefined
    })
    await business.client.calls(call.sid).update({ url: world.webhook.url('/moved') })
    if (leg === undefined) throw new Error('The Dial has a leg.')
    const ended = await business.reaches(leg, 'completed')
    expect(ended.direction).toBe('outbound-dial')
    await business.reaches(call, 'completed')
  })

  test('an inbound call as well', async () => {
    const { caller, call } = await inboundCall()
    await business.client.calls(call.sid).update({ url: world.webhook.url('/moved') })
    expect(await caller.result()).toBe(0)
    expect(askedOf('/moved', call)).toHaveLength(1)
    await business.reaches(call, 'completed')
  })
})

describe('a running call is hung up', () => {
  test.each(['/gather', '/record', '/dial'])('inside %s', async (path) => {
    const call = await running(path)
    const ended = await business.client.calls(call.sid).update({ status: 'completed' })
    expect(ended.status).toBe('completed')
    await until('no channel is left', async () =>
      (await channelsOf(world.freeswitch)) === 0 ? true : undefined,
    )
  })
})

describe('a running call ends when it is told to', () => {
  test('sooner than it was to', async () => {
    const call = await running('/pause')
    await business.client.calls(call.sid).update({ timeLimit: 3 })
    const ended = await business.reaches(call, 'completed')
    // FreeSWITCH looks at its schedule once a second.
    expect([3, 4]).toContain(Number(ended.duration))
  })

  test('later than it was to, and what is still to come is told elsewhere', async () => {
    world.webhook.answer('/elsewhere', '')
    const call = await business.call('+16505550001', { url: world.webhook.url('/pause'), timeLimit: 4 })
    await business.reaches(call, 'in-progress')
    const statusCallback = world.webhook.url('/elsewhere')
    await business.client.calls(call.sid).update({ timeLimit: 7, statusCallback })
    const ended = await business.reaches(call, 'completed')
    expect([7, 8]).toContain(Number(ended.duration))
    await until('its end is told', () => world.webhook.requests('/elsewhere')[0])
    expect(askedOf('/elsewhere', call).map(({ params }) => params.CallStatus)).toEqual(['completed'])
    expect(business.told(call)).toEqual(['0 initiated', '1 ringing', '2 in-progress'])
  })

  test('an inbound call as well', async () => {
    const { caller, call } = await inboundCall()
    await business.client.calls(call.sid).update({ timeLimit: 3 })
    expect(await caller.result()).toBe(0)
    expect([3, 4]).toContain(Number((await business.reaches(call, 'completed')).duration))
  })
})

test('a call that was ordered with Record is recorded from its answer on, and can be heard', async () => {
  const call = await business.call('+16505550001', {
    ...{ url: world.webhook.url('/moved'), record: true, trim: 'do-not-trim' },
    recordingStatusCallback: world.webhook.url('/recorded'),
  })
  world.webhook.answer('/recorded', '')
  await business.reaches(call, 'completed')
  const [told] = await until('the recording is told of', () => {
    const requests = world.webhook.requests('/recorded')
    return requests.length > 0 ? requests : undefined
  })
  expect(told?.params).toMatchObject({ CallSid: call.sid, RecordingStatus: 'completed' })
  const [recording] = await business.client.calls(call.sid).recordings.list()
  expect(recording).toMatchObject({ source: 'OutboundAPI', status: 'completed', channels: 1 })
  const { server } = world
  const file = await fetch(`${server.publicUrl}${recording?.uri.replace('.json', '.wav')}`)
  const wav = Buffer.from(await file.arrayBuffer())
  expect([file.status, wav.toString('latin1', 0, 4)]).toEqual([200, 'RIFF'])
  // A second of a tone.
  expect(wav.length).toBeGreaterThan(8000)
  const loud = new Int16Array(wav.buffer.slice(44)).some((sample) => Math.abs(sample) > 1000)
  expect(loud).toBe(true)
})

test.each([
  ['the far end', '+16505550200', '/pause', async () => {}],
  ['its TwiML', '+16505550001', '/moved', async () => {}],
  [
    'the API',
    '+16505550001',
    '/pause',
    ({ sid }: Call) => business.client.calls(sid).update({ status: 'completed' }),
  ],
])('the end of a recorded call by %s tells of its recording', async (_by, to, path, end) => {
  const call = await business.call(to, { url: world.webhook.url(path), record: true })
  await business.reaches(call, 'in-progress', 'completed')
  await new Promise((resolve) => setTimeout(resolve, 500))
  await end(call)
  await business.reaches(call, 'completed')
  const told = await until('its end is told', () =>
    askedOf('/status', call).find(({ params }) => params.CallStatus === 'completed'),
  )
  const [recording] = await business.client.calls(call.sid).recordings.list()
  expect(recording?.status).toBe('completed')
  expect(told.params).toMatchObject({
    ...{ RecordingSid: recording?.sid, RecordingDuration: recording?.duration },
    RecordingUrl: `${world.server.publicUrl}${recording?.uri.replace(`/Calls/${call.sid}`, '').replace('.json', '')}`,
  })
})

// The far end sends a tone, the call itself nothing.
test.each([
  [{ recordingTrack: 'inbound' }, [true]],
  [{ recordingTrack: 'outbound' }, [false]],
  [{ recordingChannels: 'dual' }, [true, false]],
])('a call is recorded as ordered: %j', async (order, loud) => {
  const { server, webhook } = world
  const call = await business.call('+16505550001', { url: webhook.url('/moved'), record: true, ...order })
  await business.reaches(call, 'completed')
  const [recording] = await business.client.calls(call.sid).recordings.list()
  expect(recording).toMatchObject({ status: 'completed', channels: loud.length })
  const file = await fetch(`${server.publicUrl}${recording?.uri.replace('.json', '.wav')}`)
  const samples = new Int16Array((await file.arrayBuffer()).slice(44))
  expect(samples.length).toBeGreaterThan(4000)
  const channels = loud.map((_, channel) => samples.filter((_, at) => at % loud.length === channel))
  expect(channels.map((one) => one.some((sample) => Math.abs(sample) > 1000))).toEqual(loud)
})
