import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toSid } from '../../src/accounts/account.ts'
import { createApp } from '../../src/app.ts'
import { errorLogs, phoneCalls } from '../../src/db/schema.ts'
import { refusedSipHost } from '../../src/dialling/sip-host.ts'
import type { Platform } from '../../src/platform.ts'
import { toHost } from '../../src/sip-uri.ts'
import { actionsOf, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk, type Tenant } from '../support/rows.ts'
import { credentialsOf, listenPublicly, twilioClient } from '../support/twilio.ts'

const inside = [
  ...[
    '127.0.0.1',
    '127.1.2.3:5060',
    '10.0.0.5',
    '172.16.0.1',
    '192.168.1.1:5080',
    '169.254.169.254',
    '0.0.0.0',
  ],
  ...[
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '192.0.2.1',
    '[::1]',
    '[::]:5060',
    '[fe80::1]',
    '[fd00::1]',
  ],
  ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[ff02::1]'],
  ...[
    'localhost',
    'localhost:8021',
    'pbx',
    'PBX.LOCAL',
    'db.internal',
    'a.localhost',
    'x.home.arpa',
    'nas.lan',
  ],
  ...[
    'localhost.localdomain',
    'localhost4.localdomain4:5060',
    'LOCALHOST6.localdomain6',
    'kubernetes.default.svc',
  ],
  ...['pbx.corp', 'gateway.home', 'mx.mail', 'db.private'],
  ...['0x7f.1', '0x7f000001', 'a.0x7f', '1.0x'],
]
const outside = [
  'sip.example.com',
  '203.0.114.7:5060',
  '8.8.8.8',
  '[2606:4700::1111]',
  'xn--bcher-kva.example',
]

const env = {
  WEBHOOK_ALLOW_PRIVATE: false,
  SWITCH_URL: 'http://[2606:4700::2:3]:3001',
  regions: [
    {
      ...{ alias: 'hydrogen', identifier: 'x', human_name: 'X' },
      switches: ['203.0.114.9', 'Switch.example.com'].map((host) => ({ host, port: 8021, password: 'x' })),
    },
  ],
}

test.each([
  ...['203.0.114.9', '203.0.114.9:8021', 'switch.example.com:5080', 'SWITCH.example.com'],
  ...['[2606:4700::2:3]:3001', '[2606:4700:0:0:0:0:2:3]', '[2606:4700::0002:0003]'],
])('%s is a place of our own', (text) => {
  const host = toHost(text)
  expect(host && refusedSipHost(env, host)).toMatch(/^The host .* is one of our own\.$/)
  expect(host && refusedSipHost({ ...env, WEBHOOK_ALLOW_PRIVATE: true }, host)).toBeNull()
})

test.each(inside)('%s is no host that a customer may have called', (text) => {
  const host = toHost(text)
  if (host === null) throw new Error('The host has the form of one.')
  expect(refusedSipHost(env, host)).toMatch(/^The host .* is not a public one\.$/)
  expect(refusedSipHost({ ...env, WEBHOOK_ALLOW_PRIVATE: true }, host)).toBeNull()
})

test.each(outside)('%s is', (text) => {
  const host = toHost(text)
  expect(host && refusedSipHost(env, host)).toBeNull()
})

test.each(['2130706433', '017700000001', '127.1', '127.0.0.1.', '0177.0.0.1', '127.0.0.1/8', '1.2.3.4.5'])(
  '%s has not even the form of a host',
  (text) => expect(toHost(text)).toBeNull(),
)

describe('through the doors', () => {
  let platform: Platform
  let app: Hono
  let tenant: Tenant
  let api: Awaited<ReturnType<typeof listenPublicly>>

  beforeAll(async () => {
    platform = await createTestPlatform({ WEBHOOK_ALLOW_PRIVATE: 'false', API_SUBDOMAIN: '' })
    app = createApp(platform).switchApp
    api = await listenPublicly(platform)
    tenant = await createTenant(platform)
    await createTrunk(platform, tenant)
    await assignNumber(platform, tenant, '14155551234', { sipDomain: '10.0.0.5:5070' })
  })
  afterAll(async () => {
    await api.close()
    await platform.database.close()
  })

  test("a carrier's own sip_domain may lie inside; TwiML and the API of its customer may not lead there", async () => {
    const channel = '00000000-0000-4000-8000-000000000001'
    const arriving = capturedFetch('dialplan-inbound-source-ip', { 'Unique-ID': channel })
    const actions = actionsOf(await (await post(app, '/freeswitch/xml', arriving)).text())
    expect(actions.find((action) => action.startsWith('bridge'))).toContain('sip:14155551234@10.0.0.5:5070')

    const client = twilioClient(credentialsOf(platform, tenant), api.url)
    const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.channelUuid, channel))
    await client.calls(toSid('CA', row?.id ?? '')).update({
      twiml:
        '<Response>\n<Dial action="https://example.com/">\n<Sip>sip:bob@10.0.0.6</Sip></Dial></Response>',
    })
    const returning = capturedFetch('dialplan-after-gather-digit', {
      'Unique-ID': channel,
      'Hunt-Destination-Number': row?.id ?? '',
      variable_twiml_at: null,
    })
    const after = actionsOf(await (await post(app, '/freeswitch/xml', returning)).text())
    expect(after.filter((action) => action.startsWith('bridge'))).toEqual([])
    expect(after).toContain('set originate_disposition=NO_ROUTE_DESTINATION')
    expect(await platform.db.select().from(errorLogs)).toMatchObject([
      { message: '<Dial> could not ring sip:bob@10.0.0.6. The host 10.0.0.6 is not a public one.' },
    ])

    const order = { to: 'sip:bob@169.254.169.254', from: '+14155551234', twiml: '<Response/>' }
    await expect(client.calls.create(order)).rejects.toMatchObject({
      ...{
        status: 400,
        code: 21211,
        message: expect.stringContaining('The host 169.254.169.254 is not a public one.'),
      },
    })
  })
})
