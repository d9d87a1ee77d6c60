import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { errorLogs, phoneCalls, unidentifiedSources } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { changeTrunk } from '../../src/trunks/change.ts'
import { contactSecret } from '../../src/trunks/contact-secret.ts'
import type { Trunk, TrunkSettings } from '../../src/trunks/trunk.ts'
import { eventually } from '../support/eventually.ts'
import { actionsOf, capturedCdr, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { startWebhooks } from '../support/webhooks.ts'

let platform: Platform
let app: Hono
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
let tenant: Tenant
let listed: Trunk
let client: Trunk
let gateway: Trunk

const documents = {
  '/voice': '<Response><Say>Welcome to Acme Corp.</Say></Response>',
  '/reject': '<Response><Reject reason="busy"/></Response>',
  '/pause': '<Response><Pause length="2"/><Redirect>/voice</Redirect></Response>',
  '/forward': '<Response><Dial>+442079460000</Dial></Response>',
  '/broken': '<Response><Say>Hello</Say><Enqueue/></Response>',
  '/slow': '<Response><Hangup/></Response>',
}

beforeAll(async () => {
  platform = await createTestPlatform()
  app = createApp(platform).switchApp
  webhooks = await startWebhooks(documents, { '/slow': 2200 })
  tenant = await createTenant(platform)
  listed = await createTrunk(platform, tenant, { name: 'Listed' })
  client = await createTrunk(platform, tenant, {
    name: 'Client',
    authenticationMode: 'client_credentials',
    username: 'icy-dream-4198',
    password: 'secretsecret',
  })
  gateway = await createTrunk(platform, tenant, {
    name: 'Gateway',
    authenticationMode: 'outbound_registration',
    username: 'myuser',
    password: 'mypassword',
    outboundHost: 'pbx.example.com:5060',
  })
  await assignNumber(platform, tenant, '14155551234', { voiceUrl: webhooks.url('/voice') })
  await assignNumber(platform, tenant, '18005550001', { voiceUrl: webhooks.url('/pause') })
})
afterAll(async () => {
  await webhooks.close()
  await platform.database.close()
})

const ask = async (body: string) => {
  const response = await post(app, '/freeswitch/xml', body)
  const text = await response.text()
  expect(response.status, text).toBe(200)
  return text
}
const callOn = async (channelUuid: string) => {
  const [call] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.channelUuid, channelUuid))
  return call
}
const proof = () => `tok=${contactSecret(platform.keys, gateway)};transport=udp;gw=${gateway.id}`
const uuids = { count: 0 }
const freshUuid = () => `00000000-0000-4000-8000-${String(++uuids.count).padStart(12, '0')}`

describe('who a forwarded call is from', () => {
  const dialled = async (from: string) => {
    const channelUuid = freshUuid()
    const document = await ask(
      capturedFetch('dialplan-inbound-source-ip', {
        ...{ 'Unique-ID': channelUuid, 'Hunt-Destination-Number': '18005550009' },
        ...{ 'Hunt-Caller-ID-Number': from, 'Caller-Caller-ID-Number': from },
      }),
    )
    const call = await callOn(channelUuid)
    const [leg] = await platform.db
      .select({ from: phoneCalls.from })
      .from(phoneCalls)
      .where(eq(phoneCalls.parentCallId, call?.id ?? ''))
    const shown = actionsOf(document).flatMap(
      (action) => /(?:origination|effective)_caller_id_number=([^,\]]*)/.exec(action)?.[1] ?? [],
    )
    return { from: leg?.from, shown: shown.at(-1) }
  }

  test('default_sender stands for a caller who tells nothing that can be shown, and for no other', async () => {
    await assignNumber(platform, tenant, '18005550009', { voiceUrl: webhooks.url('/forward') })
    await createTrunk(platform, tenant, {
      ...{ name: 'Out', sourceIps: ['192.0.2.99'], outboundHost: 'out.example.com' },
      ...{ outboundRoutePrefixes: ['44'], outboundPlusPrefix: true, defaultSender: '442071838750' },
    })
    expect(await dialled('')).toEqual({ from: '+442071838750', shown: '+442071838750' })
    expect(await dialled('Zoë <3')).toEqual({ from: '+442071838750', shown: '+442071838750' })
    expect(await dialled('anonymous')).toEqual({ from: 'anonymous', shown: 'anonymous' })
    expect(await dialled('6703')).toEqual({ from: '6703', shown: '6703' })
    expect(await dialled('19175551234')).toEqual({ from: '+19175551234', shown: '+19175551234' })
  })
})

describe('the captured fetches', () => {
  test('a listed source address reaches its webhook and hears it', async () => {
    const document = await ask(capturedFetch('dialplan-inbound-source-ip'))
    expect(actionsOf(document)).toEqual([
      'set app_disable_expand_variables=true',
      'set max_session_transfers=10000',
      'set playback_terminators=none',
      'answer',
      expect.stringMatching(/^playback http:\/\/127\.0\.0\.1:3001\/freeswitch\/audio\/[0-9a-f]{32}\.wav$/),
      'hangup NORMAL_CLEARING',
    ])
    expect(document).toContain('<context name="inbound">')
    const call = await callOn('b9302242-cc63-43a0-a8a0-0f21eec96a9b')
    expect(call).toMatchObject({
      carrierId: tenant.carrier.id,
      accountId: tenant.account.id,
      sipTrunkId: listed.id,
      direction: 'inbound',
      status: 'ringing',
      from: '+19175551234',
      to: '+14155551234',
    })
    expect(webhooks.asked.at(-1)).toMatchObject({
      method: 'POST',
      path: '/voice',
      fields: {
        CallSid: `CA${call?.id.replaceAll('-', '')}`,
        From: '+19175551234',
        To: '+14155551234',
        Direction: 'inbound',
        AccountSid: `AC${tenant.account.id.replaceAll('-', '')}`,
        CallStatus: 'ringing',
        ApiVersion: '2010-04-01',
        Caller: '+19175551234',
        Called: '+14155551234',
      },
    })
    expect(Object.keys(webhooks.asked.at(-1)?.fields ?? {})).toHaveLength(9)
  })

  test('its CDR completes the call, once', async () => {
    for (let i = 0; i < 2; i++) {
      const stored = await post(
        app,
        '/freeswitch/cdr?uuid=b9302242-cc63-43a0-a8a0-0f21eec96a9b',
        capturedCdr('cdr-inbound-gather'),
        'application/json',
      )
      expect(stored.status).toBe(200)
    }
    expect(await callOn('b9302242-cc63-43a0-a8a0-0f21eec96a9b')).toMatchObject({
      status: 'completed',
      duration: 2,
      hangupCause: 'NORMAL_CLEARING',
      sipResponseCode: 200,
      answeredAt: new Date(1795382447155),
      endedAt: new Date(1795382449535),
    })
  })

  test('a digest user is its trunk, whatever its address', async () => {
    const actions = actionsOf(await ask(capturedFetch('dialplan-inbound-digest-user')))
    const call = await callOn('ec7dd82c-da16-44e9-abbd-8837c20e69da')
    expect(call).toMatchObject({ sipTrunkId: client.id, from: 'icy-dream-4198', to: '+18005550001' })
    expect(actions).toEqual([
      'set app_disable_expand_variables=true',
      'set max_session_transfers=10000',
      'set playback_terminators=none',
      'sleep 2000',
      'set twiml_at=1.1',
      `transfer ${call?.id} XML twiml`,
    ])
  })

  test('a gateway is its trunk when it brings back its secret; the extension passes as caller id', async () => {
    await ask(
      capturedFetch('dialplan-inbound-gateway', {
        variable_sip_gateway: gateway.id,
        variable_sip_req_params: proof(),
      }),
    )
    expect(await callOn('09abecc4-f41c-418d-b522-59cbe23e45d5')).toMatchObject({
      sipTrunkId: gateway.id,
      from: '6703',
      to: '+14155551234',
    })
  })

  test('an unknown source is challenged and leaves no call', async () => {
    const actions = actionsOf(await ask(capturedFetch('dialplan-inbound-unauthenticated')))
    expect(actions).toEqual([
      'set app_disable_expand_variables=true',
      'set process_cdr=false',
      'set sip_challenge_realm=trunks',
      'respond 407 Proxy Authentication Required',
    ])
    expect(await callOn('ab2dc32a-aedb-4209-a188-d922a9090184')).toBeUndefined()
    const [source] = await platform.db.select().from(unidentifiedSources)
    expect(source).toMatchObject({ sourceIp: '127.0.0.7', calls: 1, sample: { destination: '18005550001' } })
  })

  test('the fifth form, a Dial that will be answered, starts as any call', async () => {
    await ask(capturedFetch('dialplan-inbound-dial-answered'))
    expect(await callOn('ffdf93d3-1e09-436b-a5b6-936e8e1a4572')).toMatchObject({
      to: '+18005550001',
      step: 1,
    })
  })
})

describe('the TwiML goes on', () => {
  const returning = (id: string, channel: string, changes: Record<string, string | null> = {}) =>
    capturedFetch('dialplan-after-gather-digit', {
      'Unique-ID': channel,
      'Hunt-Destination-Number': id,
      variable_twiml_at: '1.1',
      ...changes,
    })

  test('a Redirect asks the next document, which is run in context twiml', async () => {
    const channel = 'ec7dd82c-da16-44e9-abbd-8837c20e69da'
    const call = await callOn(channel)
    const document = await ask(returning(call?.id ?? '', channel))
    expect(document).toContain('<context name="twiml">')
    expect(actionsOf(document)).toEqual([
      'set app_disable_expand_variables=true',
      'set max_session_transfers=10000',
      'set playback_terminators=none',
      expect.stringMatching(/^playback http/),
      'hangup NORMAL_CLEARING',
    ])
    expect(webhooks.asked.at(-1)).toMatchObject({ path: '/voice', fields: { CallStatus: 'in-progress' } })
    expect(await callOn(channel)).toMatchObject({ status: 'in-progress', step: 2 })
  })

  test("another channel cannot fetch a call's TwiML, nor can no call's", async () => {
    const call = await callOn('ec7dd82c-da16-44e9-abbd-8837c20e69da')
    for (const id of [call?.id ?? '', freshUuid(), "1' OR true"])
      expect(await ask(returning(id, freshUuid()))).toContain('<result status="not found"/>')
  })
})

test('a rejected call is refused with 486 and never answered', async () => {
  await assignNumber(platform, tenant, '14155550486', { voiceUrl: webhooks.url('/reject') })
  const actions = actionsOf(
    await ask(
      capturedFetch('dialplan-inbound-source-ip', {
        'Unique-ID': freshUuid(),
        'Hunt-Destination-Number': '4155550486',
      }),
    ),
  )
  expect(actions.slice(3)).toEqual(['respond 486 Busy Here'])
})

test('a number with a sip_domain rings that SIP server', async () => {
  await assignNumber(platform, tenant, '14155550777', { sipDomain: 'pbx.example.com:5070' })
  const channel = freshUuid()
  const actions = actionsOf(
    await ask(
      capturedFetch('dialplan-inbound-source-ip', {
        'Unique-ID': channel,
        'Hunt-Destination-Number': '14155550777',
      }),
    ),
  )
  expect(actions.find((action) => action.startsWith('bridge'))).toMatch(
    /^bridge \[.*\]sofia\/nat_gateway\/sip:14155550777@pbx\.example\.com:5070$/,
  )
  const parent = await callOn(channel)
  const legs = await platform.db
    .select()
    .from(phoneCalls)
    .where(eq(phoneCalls.parentCallId, parent?.id ?? ''))
  expect(legs).toMatchObject([
    { direction: 'outbound-dial', status: 'initiated', to: 'sip:14155550777@pbx.example.com:5070' },
  ])
})

test('a document that cannot be run is an apology and an error log with verb and line', async () => {
  await assignNumber(platform, tenant, '14155550500', { voiceUrl: webhooks.url('/broken') })
  const channel = freshUuid()
  const actions = actionsOf(
    await ask(
      capturedFetch('dialplan-inbound-source-ip', {
        'Unique-ID': channel,
        'Hunt-Destination-Number': '14155550500',
      }),
    ),
  )
  expect(actions.slice(3)).toEqual([
    'answer',
    expect.stringMatching(/^playback http/),
    'hangup NORMAL_CLEARING',
  ])
  const call = await callOn(channel)
  const logs = await platform.db
    .select()
    .from(errorLogs)
    .where(eq(errorLogs.callId, call?.id ?? ''))
  expect(logs).toMatchObject([
    { type: 'webhook.failed', message: expect.stringContaining('Line 1: <Enqueue> is not supported.') },
  ])
})

test('a slow webhook is waited for with silence, and picked up by another process', async () => {
  await assignNumber(platform, tenant, '14155550999', { voiceUrl: webhooks.url('/slow') })
  const channel = freshUuid()
  const began = performance.now()
  const first = actionsOf(
    await ask(
      capturedFetch('dialplan-inbound-source-ip', {
        'Unique-ID': channel,
        'Hunt-Destination-Number': '14155550999',
      }),
    ),
  )
  expect(performance.now() - began).toBeLessThan(2000)
  const call = await callOn(channel)
  expect(first.slice(2)).toEqual([
    'playback silence_stream://500',
    'set twiml_at=1.start',
    `transfer ${call?.id} XML twiml`,
  ])
  const other = createApp(platform).switchApp
  const returning = capturedFetch('dialplan-after-gather-digit', {
    'Unique-ID': channel,
    'Hunt-Destination-Number': call?.id ?? '',
    'Hunt-Channel-Answered-Time': '0',
    'Answer-State': 'ringing',
    variable_twiml_at: '1.start',
  })
  await eventually(async () => {
    const later = actionsOf(await (await post(other, '/freeswitch/xml', returning)).text())
    expect(later.slice(3)).toEqual(['answer', 'hangup NORMAL_CLEARING'])
  })
})

describe('refusals', () => {
  const refused = async (changes: Record<string, string | null>) =>
    actionsOf(
      await ask(capturedFetch('dialplan-inbound-source-ip', { 'Unique-ID': freshUuid(), ...changes })),
    ).at(-1)
  const lastLog = async () => (await platform.db.select().from(errorLogs)).at(-1)

  test('404 for a number that nobody has, with what was understood', async () => {
    expect(await refused({ 'Hunt-Destination-Number': '4155550000' })).toBe('respond 404 Not Found')
    expect(await lastLog()).toMatchObject({
      carrierId: tenant.carrier.id,
      sipTrunkId: listed.id,
      type: 'inbound_call.unknown_number',
      message: 'The number 4155550000, understood as +14155550000, is no active incoming phone number.',
      details: { sip_code: 404, source_ip: '127.0.0.2', caller_id: '19175551234' },
    })
  })

  test.each([
    ['one address', '127.0.0.50', '127.0.0.50', '127.0.0.50'],
    ['one address, whoever lists the narrower network,', '127.0.1.50', '127.0.1.0/24', '127.0.1.50'],
  ])(
    'a number that two carriers have behind %s is refused, and both learn why',
    async (_, address, ...networks) => {
      const [one, other] = [await createTenant(platform, 'One'), await createTenant(platform, 'Other')]
      const dialled = { variable_sip_network_ip: address, 'Hunt-Destination-Number': '4155550050' }
      const own = async (tenant: typeof one, network: string | undefined) => {
        await createTrunk(platform, tenant, { sourceIps: [network ?? ''] })
        await assignNumber(platform, tenant, '14155550050', { voiceUrl: webhooks.url('/voice') })
      }
      await own(one, networks[0])
      expect(await refused(dialled)).toBe('hangup NORMAL_CLEARING')
      await own(other, networks[1])
      expect(await refused(dialled)).toBe('respond 404 Not Found')
      for (const { carrier } of [one, other]) {
        const logs = await platform.db.select().from(errorLogs).where(eq(errorLogs.carrierId, carrier.id))
        expect(logs).toMatchObject([
          {
            type: 'inbound_call.ambiguous',
            message: `The source address ${address} and the number 4155550050 fit 2 trunks equally well: trunks of several carriers.`,
          },
        ])
      }
    },
  )

  test('a forged gateway name proves nothing', async () => {
    expect(
      await refused({
        variable_sip_gateway: gateway.id,
        variable_sip_req_params: `tok=0;gw=${gateway.id}`,
        variable_sip_network_ip: '127.0.0.66',
      }),
    ).toBe('respond 407 Proxy Authentication Required')
  })

  test('a provider whom a trunk has left calls in its name no more; only who and where it is changes its secret', async () => {
    let trunk = await createTrunk(platform, tenant, {
      ...{ authenticationMode: 'outbound_registration', username: 'u', password: 'p' },
      outboundHost: 'provider-a.example',
    })
    const change = async (patch: Partial<TrunkSettings>) => {
      const changed = await changeTrunk(platform.db, platform.keys, { type: 'existing', trunk }, patch)
      if (changed.type === 'refused') throw new Error(JSON.stringify(changed.issues))
      trunk = changed.value
    }
    const secret = async () => {
      const fields = { hostname: 'vm', section: 'configuration', key_value: 'sofia.conf', gateway: trunk.id }
      return /value="(tok=[0-9a-f]{32})"/.exec(await ask(new URLSearchParams(fields).toString()))?.[1]
    }
    const answer = (parameters: string | undefined) =>
      refused({
        variable_sip_gateway: trunk.id,
        variable_sip_req_params: `${parameters};gw=${trunk.id}`,
        variable_sip_network_ip: '198.51.100.66',
      })
    const former = await secret()
    expect(await answer(former)).toBe('hangup NORMAL_CLEARING')
    await change({ password: 'other', authUser: 'digest', name: 'Renamed' })
    expect(await secret()).toBe(former)
    for (const patch of [
      { outboundHost: 'provider-b.example' },
      { outboundProxy: 'proxy.example' },
      { username: 'v' },
    ]) {
      const before = await secret()
      await change(patch)
      expect(await answer(before)).toBe('respond 407 Proxy Authentication Required')
      expect(await answer(await secret())).toBe('hangup NORMAL_CLEARING')
    }
  })

  test('503 when max_channels calls are live, and free again after one ends', async () => {
    const busy = await createTenant(platform, 'Busy')
    await createTrunk(platform, busy, { sourceIps: ['127.0.0.40'], maxChannels: 1 })
    await assignNumber(platform, busy, '14155550040', { voiceUrl: webhooks.url('/voice') })
    const from = { variable_sip_network_ip: '127.0.0.40', 'Hunt-Destination-Number': '14155550040' }
    const channel = freshUuid()
    const arrive = (uuid: string) => refused({ ...from, 'Unique-ID': uuid })
    expect(await arrive(channel)).toBe('hangup NORMAL_CLEARING')
    expect(await arrive(channel)).toBe('hangup NORMAL_CLEARING')
    expect(await arrive(freshUuid())).toBe('respond 503 Service Unavailable')
    expect(await lastLog()).toMatchObject({ type: 'inbound_call.no_channel', details: { sip_code: 503 } })
    const cdr = JSON.parse(capturedCdr('cdr-inbound-gather'))
    cdr.variables.uuid = channel
    await post(app, `/freeswitch/cdr?uuid=${channel}`, JSON.stringify(cdr), 'application/json')
    expect(await arrive(freshUuid())).toBe('hangup NORMAL_CLEARING')
  })
})
