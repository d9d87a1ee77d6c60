import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Business, createBusiness } from './support/account.ts'
import type { Resource } from './support/carrier.ts'
import { type FreeSwitch, startFreeSwitch } from './support/freeswitch.ts'
import { freeSipPort } from './support/ports.ts'
import { until } from './support/programs.ts'
import {
  answer,
  credentials,
  final,
  hangUpAnswered,
  hungUp,
  offered,
  pause,
  refuse,
  register,
  ringing,
} from './support/sip-script.ts'
import type { Sipp } from './support/sipp.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
let business: Business
let pbx: FreeSwitch
let gateway: Resource

beforeAll(async () => {
  const { server, carrier, webhook, folder } = world
  business = await createBusiness(server, carrier, webhook)
  pbx = await startFreeSwitch(folder, {
    ...{ name: 'pbx', conf: join(import.meta.dirname, 'pbx'), profile: 'pbx' },
  })
  gateway = await carrier.create('sip_trunks', {
    ...{ name: 'PBX', authentication_mode: 'outbound_registration', region: 'hydrogen' },
    ...{ username: 'alice', password: 'alice-secret', outbound_host: pbx.sip },
    ...{ outbound_route_prefixes: ['1650'], outbound_national_dialing: true },
  })
  webhook.answer('/voice', '<Response><Pause length="1"/><Hangup/></Response>')
  webhook.answer('/long', '<Response><Pause length="60"/></Response>')
  await until('the trunk is registered', async () => {
    const status = await world.freeswitch.api(`sofia status gateway ${gateway.id}`)
    return /State\s+REGED/.test(status) ? true : undefined
  })
})
afterAll(() => pbx?.stop('SIGKILL'))

const offeredTo = (far: Sipp) => {
  const offered = far.messages().find(({ firstLine }) => firstLine.startsWith('INVITE '))
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(offered?.text ?? '')?.[1]
  return { request: offered?.firstLine, from: header('From'), asserted: header('P-Asserted-Identity') }
}
const addressTrunk = (far: { address: string }, prefix: string, more: object = {}) =>
  world.carrier.create('sip_trunks', {
    ...{ name: `To ${far.address}`, authentication_mode: 'ip_address', region: 'hydrogen' },
    ...{ inbound_source_ips: ['192.0.2.1'], outbound_host: far.address, outbound_route_prefixes: [prefix] },
    ...more,
  })

describe('the three kinds of trunk', () => {
  test('ip_address: the far end is called as the trunk says, hears the speech, and hangs up', async () => {
    const { webhook } = world
    webhook.answer('/speech', '<Response><Say>Welcome to Acme Corp.</Say><Pause length="30"/></Response>')
    const ear = await world.ear('127.0.0.3')
    const far = await world.sipp({
      steps: [...ringing(), pause(300), ...answer(ear), pause(3000), ...hangUpAnswered()],
      from: '127.0.0.3',
    })
    await addressTrunk(far, '1415555', { outbound_plus_prefix: true, outbound_dial_string_prefix: '99' })
    const call = await business.call('+14155551234', { url: webhook.url('/speech') })
    const ended = await business.reaches(call, 'completed')
    expect(await far.result()).toBe(0)
    expect(offeredTo(far)).toEqual({
      request: `INVITE sip:+9914155551234@${far.address} SIP/2.0`,
      from: expect.stringMatching(/^(".*" )?<sip:\+19175559876@127\.0\.0\.1(:\d+)?>;tag=/),
      asserted: expect.stringMatching(/<sip:\+19175559876@/),
    })
    expect(ear.heardMs()).toBeGreaterThan(500)
    expect(webhook.requests('/speech')[0]?.params).toMatchObject({
      ...{ CallSid: call.sid, CallStatus: 'in-progress', Direction: 'outbound-api' },
      ...{ From: '+19175559876', To: '+14155551234' },
    })
    expect(Number(ended.duration)).toBeGreaterThanOrEqual(2)
    await until('all is told', () => (business.told(call).length === 4 ? true : undefined))
    expect(business.told(call)).toEqual(['0 initiated', '1 ringing', '2 in-progress', '3 completed 200'])
  })

  test('client_credentials: the registered contact is called, and nobody when there is none', async () => {
    const trunk = await world.carrier.create('sip_trunks', {
      ...{ name: 'Client', authentication_mode: 'client_credentials', region: 'hydrogen' },
      ...{ outbound_route_prefixes: ['1212'] },
    })
    const { username, password } = trunk.attributes
    const early = await business.call('+12125550100', { url: world.webhook.url('/voice') })
    await business.reaches(early, 'failed')
    await until('all is told', () => (business.told(early).length === 2 ? true : undefined))
    expect(business.told(early)).toEqual(['0 initiated', '1 failed 480'])

    const port = await freeSipPort('127.0.0.5')
    const registering = await world.sipp({
      steps: [
        register(),
        ...final(401),
        register({ cseq: 2, headers: [credentials(String(username), String(password))] }),
        ...final(200),
      ],
      ...{ from: '127.0.0.5', port, number: String(username) },
    })
    expect(await registering.result()).toBe(0)
    const far = await world.sipp({ steps: [...ringing(), ...answer(), ...hungUp()], from: '127.0.0.5', port })
    await until('the contact is known', async () => {
      const { meta } = await world.carrier.show('sip_trunks', trunk.id)
      return JSON.stringify(meta).includes('127.0.0.5') ? true : undefined
    })
    const call = await business.call('+12125550100', { url: world.webhook.url('/voice') })
    await business.reaches(call, 'completed')
    expect(await far.result()).toBe(0)
    expect(offeredTo(far)).toMatchObject({
      request: `INVITE sip:12125550100@127.0.0.5:${port} SIP/2.0`,
      from: expect.stringMatching(/<sip:19175559876@/),
    })
  })

  test('outbound_registration: through the gateway, logged in, the caller in P-Asserted-Identity', async () => {
    const call = await business.call('+16505550001', { url: world.webhook.url('/long') })
    await business.reaches(call, 'in-progress')
    const list = JSON.parse(await pbx.api('show channels as json')).rows as { uuid: string; dest: string }[]
    expect(list.map(({ dest }) => dest)).toEqual(['6505550001'])
    const channel = await pbx.api(`uuid_dump ${list[0]?.uuid}`)
    expect(channel).toMatch(/^variable_sip_from_user: alice$/m)
    expect(channel).toMatch(/^variable_sip_P-Asserted-Identity: .*9175559876/m)
    expect(channel).toMatch(/^variable_sip_auth_username: alice$/m)
    await business.client.calls(call.sid).update({ status: 'completed' })
    await business.reaches(call, 'completed')
  })

  test('outbound_registration by a proxy, with another name for the login', async () => {
    await world.carrier.create('sip_trunks', {
      ...{ name: 'By proxy', authentication_mode: 'outbound_registration', region: 'hydrogen' },
      ...{ username: 'office', auth_user: 'alice', password: 'alice-secret' },
      ...{ outbound_host: 'pbx.example.test:5099', outbound_proxy: pbx.sip },
      ...{ outbound_route_prefixes: ['44'], outbound_plus_prefix: true },
    })
    // Its gateway does not run yet: the call waits for it.
    const call = await business.call('+442079460001', { url: world.webhook.url('/long') })
    await business.reaches(call, 'in-progress')
    const list = JSON.parse(await pbx.api('show channels as json')).rows as { uuid: string }[]
    expect(list).toHaveLength(1)
    const channel = await pbx.api(`uuid_dump ${list[0]?.uuid}`)
    await business.client.calls(call.sid).update({ status: 'completed' })
    await business.reaches(call, 'completed')
    const variable = (name: string) =>
      decodeURIComponent(new RegExp(`^variable_${name}: (.*)$`, 'm').exec(channel)?.[1] ?? '')
    expect(['sip_req_uri', 'sip_from_uri', 'sip_auth_username'].map(variable)).toEqual([
      '+442079460001@pbx.example.test:5099',
      'office@pbx.example.test',
      'alice',
    ])
    expect(variable('sip_P-Asserted-Identity')).toContain('+19175559876')
  })
})

describe('how a call ends', () => {
  test.each([
    ['0486', 'busy', ['0 initiated', '1 busy 486']],
    ['0480', 'no-answer', ['0 initiated', '1 no-answer 480']],
    ['0404', 'failed', ['0 initiated', '1 failed 404']],
    ['0503', 'failed', ['0 initiated', '1 failed 503']],
    ['0603', 'failed', ['0 initiated', '1 failed 603']],
  ])('to a number that answers %s it is %s', async (ending, status, told) => {
    const call = await business.call(`+1650555${ending}`, { url: world.webhook.url('/voice') })
    await business.reaches(call, status)
    await until('all is told', () => (business.told(call).length === told.length ? true : undefined))
    expect(business.told(call)).toEqual(told)
  })

  test('busy after ringing', async () => {
    const far = await world.sipp({
      steps: [...ringing(), pause(300), ...refuse('486 Busy Here')],
      from: '127.0.0.3',
    })
    await addressTrunk(far, '1415556')
    const call = await business.call('+14155560001', { url: world.webhook.url('/voice') })
    await business.reaches(call, 'busy')
    await until('all is told', () => (business.told(call).length === 3 ? true : undefined))
    expect(business.told(call)).toEqual(['0 initiated', '1 ringing', '2 busy 486'])
  })

  test('nobody answers within the timeout', async () => {
    const call = await business.call('+16505550180', { url: world.webhook.url('/voice'), timeout: 2 })
    const ended = await business.reaches(call, 'no-answer')
    expect(ended.endTime.getTime() - ended.startTime.getTime()).toBeLessThanOrEqual(4000)
    await until('all is told', () => (business.told(call).length === 3 ? true : undefined))
    expect(business.told(call).map((line) => line.slice(0, 12))).toEqual([
      '0 initiated',
      '1 ringing',
      '2 no-answer ',
    ])
  })

  test('cancelled while it rings: the far end gets a CANCEL', async () => {
    const call = await business.call('+16505550180', { url: world.webhook.url('/voice') })
    await business.reaches(call, 'ringing')
    const cancelled = await business.client.calls(call.sid).update({ status: 'canceled' })
    expect(cancelled.status).toBe('canceled')
    await until('nothing rings any more', async () =>
      JSON.parse(await pbx.api('show channels as json')).row_count === 0 ? true : undefined,
    )
    await until('all is told', () => (business.told(call).length === 3 ? true : undefined))
    expect(business.told(call)[2]).toMatch(/^2 canceled/)
  })

  test('hung up by the API', async () => {
    const call = await business.call('+16505550002', { url: world.webhook.url('/long') })
    await business.reaches(call, 'in-progress')
    const completed = await business.client.calls(call.sid).update({ status: 'completed' })
    expect(completed.status).toBe('completed')
    await until('all is told', () => (business.told(call).length === 4 ? true : undefined))
    expect(business.told(call)).toEqual(['0 initiated', '1 ringing', '2 in-progress', '3 completed 200'])
  })

  test('after its time limit', async () => {
    const call = await business.call('+16505550003', { url: world.webhook.url('/long'), timeLimit: 2 })
    const ended = await business.reaches(call, 'completed')
    // FreeSWITCH looks at its schedule once a second.
    expect([2, 3]).toContain(Number(ended.duration))
  })

  test('a trunk that fails before it rings is followed by the next, where the account wants that', async () => {
    const { carrier, webhook, server } = world
    const other = await createBusiness(server, carrier, webhook, '+19175559877')
    const refusing = await world.sipp({
      steps: [...offered(), ...refuse('503 Service Unavailable')],
      from: '127.0.0.6',
    })
    const first = await addressTrunk(refusing, '336')
    const down = await carrier.create('sip_trunks', {
      ...{ name: 'Down', authentication_mode: 'outbound_registration', region: 'hydrogen' },
      ...{ username: 'nobody', password: 'nothing', outbound_host: pbx.sip, outbound_route_prefixes: ['33'] },
    })
    await until('its gateway fails', async () => {
      const { meta } = await carrier.show('sip_trunks', down.id)
      return JSON.stringify(meta).includes('"failed"') ? true : undefined
    })
    const far = await world.sipp({ steps: [...ringing(), ...answer(), ...hungUp()], from: '127.0.0.7' })
    const last = await addressTrunk(far, '3')
    const once = await other.call('+33612345678', { url: webhook.url('/voice') })
    await other.reaches(once, 'failed')
    expect(await refusing.result()).toBe(0)
    const again = await world.sipp({
      steps: [...offered(), ...refuse('503 Service Unavailable')],
      from: '127.0.0.8',
    })
    await carrier.update(first, { outbound_host: again.address })
    for (const account of await carrier.list('accounts'))
      if (account.attributes.sid === other.client.username) await carrier.update(account, { failover: true })

    const call = await other.call('+33612345678', { url: webhook.url('/voice') })
    await other.reaches(call, 'completed')
    expect([await again.result(), await far.result()]).toEqual([0, 0])
    await until('all is told', () => (other.told(call).length === 4 ? true : undefined))
    expect(other.told(call)).toEqual(['0 initiated', '1 ringing', '2 in-progress', '3 completed 200'])
    const shown = (await carrier.list('phone_calls')).find(({ attributes }) => attributes.sid === call.sid)
    const steps = shown?.attributes.route_steps as { id: string; kept: boolean; reason: string }[]
    const tries = steps.slice(-4).map(({ id, kept, reason }) => [id, kept, reason])
    expect(tries).toEqual([
      [
        first.id,
        false,
        expect.stringMatching(/^The call failed on this trunk before it rang: .* \(SIP 503\)\.$/),
      ],
      [down.id, true, expect.stringMatching(/next by the same rules/)],
      [down.id, false, expect.stringMatching(/^The call failed on this trunk before it rang: GATEWAY_DOWN/)],
      [last.id, true, expect.stringMatching(/next by the same rules/)],
    ])
  })

  test('nothing of a call stays at the switch', async () => {
    await until('the notes are forgotten', async () =>
      (await world.freeswitch.api('hash_dump db')).includes('placed_') ? undefined : true,
    )
    await until('no channel is left', async () =>
      JSON.parse(await world.freeswitch.api('show channels as json')).row_count === 0 ? true : undefined,
    )
  })
})
