import fc from 'fast-check'
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { cdrs, errorLogs, phoneCalls } from '../../src/db/schema.ts'
import { readForm } from '../../src/freeswitch/form.ts'
import type { Platform } from '../../src/platform.ts'
import { contactSecret } from '../../src/trunks/contact-secret.ts'
import { actionsOf, capturedCdr, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk } from '../support/rows.ts'

let platform: Platform
let app: Hono

beforeAll(async () => {
  platform = await createTestPlatform()
  app = createApp(platform).switchApp
  const tenant = await createTenant(platform)
  await createTrunk(platform, tenant)
  await assignNumber(platform, tenant, '14155551234', { sipDomain: 'pbx.example.com' })
})
afterAll(() => platform.database.close())

const stored = async () => [
  ...(await platform.db.select().from(phoneCalls)),
  ...(await platform.db.select().from(cdrs)),
]
const call = 'section=dialplan&Hunt-Context=inbound&Unique-ID=b9302242-cc63-43a0-a8a0-0f21eec96a9b'

describe('a body that FreeSWITCH would not send is refused in words, and nothing is stored', () => {
  test.each([
    ['nothing', '', 400],
    ['a segment without =', 'section', 400],
    ['a name that comes twice', 'section=dialplan&section=dialplan', 400],
    [
      'a name that comes twice, once escaped',
      `${call}&variable_sip_network_ip=1.2.3.4&variable_sip%5fnetwork_ip=1.2.3.4`,
      400,
    ],
    [
      'the injected fields of a Replaces header',
      `${capturedFetch('dialplan-inbound-source-ip')}&variable_sip_network_ip=10.0.0.1`,
      400,
    ],
    [
      'an injected realm',
      'hostname=x&section=directory&tag_name=domain&key_name=name&key_value=sip.test&user=victim&action=sip_auth&user=attacker',
      400,
    ],
    ['no section', 'hostname=x', 400],
    ['JSON', '{"section":"dialplan"}', 400],
    ['a channel that is no UUID', 'section=dialplan&Hunt-Context=inbound&Unique-ID=1', 400],
    ['no channel', 'section=dialplan&Hunt-Context=inbound', 400],
    ['a digest without a user', 'section=directory&action=sip_auth', 400],
    ['more than a megabyte', `section=dialplan&x=${'x'.repeat(1024 * 1024)}`, 413],
    ['5,000 fields', Array.from({ length: 5000 }, (_, i) => `f${i}=1`).join('&'), 400],
  ])('%s', async (_, body, status) => {
    const response = await post(app, '/freeswitch/xml', body)
    expect(response.status).toBe(status)
    expect((await response.text()).length).toBeGreaterThan(10)
    expect(await stored()).toEqual([])
  })

  test.each([
    ['nothing', ''],
    ['no JSON', 'cdr=1'],
    ['JSON that is no CDR', '[1,2]'],
    ['no variables', '{}'],
    ['no uuid', '{"variables":{}}'],
    ['a uuid that is none', '{"variables":{"uuid":"1; DROP TABLE cdrs"}}'],
    ['JSON 10,000 deep', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['a uuid that is no text', '{"variables":{"uuid":{"a":1}}}'],
  ])('CDR: %s', async (_, body) => {
    const response = await post(app, '/freeswitch/cdr', body, 'application/json')
    expect(response.status).toBe(400)
    expect(await stored()).toEqual([])
  })

  test('a CDR with characters that PostgreSQL cannot hold is stored all the same', async () => {
    const cdr = JSON.parse(capturedCdr('cdr-unauthenticated-407'))
    cdr.variables.sip_from_display = 'a\u0000b\ud800'
    const response = await post(app, '/freeswitch/cdr', JSON.stringify(cdr), 'application/json')
    expect(response.status).toBe(200)
    await platform.db.delete(cdrs)
  })
})

test('what is not ours is not found', async () => {
  for (const body of [
    'section=configuration&tag_name=configuration&key_name=name&key_value=acl.conf',
    capturedFetch('configuration-json-cdr'),
    capturedFetch('configuration-timezones'),
    'section=directory&purpose=gateways&profile=nat_gateway',
    'section=directory&action=reverse-auth-lookup&user=x',
    'section=dialplan&Hunt-Context=public&Unique-ID=b9302242-cc63-43a0-a8a0-0f21eec96a9b',
    'section=languages&key_value=en',
    'section=chatplan',
  ]) {
    const response = await post(app, '/freeswitch/xml', body)
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('<result status="not found"/>')
  }
})

describe('claims of a caller', () => {
  const last = async (changes: Record<string, string | null>) => {
    const response = await post(app, '/freeswitch/xml', capturedFetch('dialplan-inbound-source-ip', changes))
    expect(response.status).toBe(200)
    return actionsOf(await response.text()).at(-1)
  }

  test.each([
    [
      'a From that names another trunk',
      {
        variable_sip_from_user: 'icy-dream-4198',
        variable_sip_from_host: '127.0.0.2',
        variable_sip_network_ip: '127.0.0.66',
        'Hunt-Network-Addr': '127.0.0.66',
      },
    ],
    [
      'a digest name without FreeSWITCH saying that it is proven',
      { variable_sip_auth_username: 'icy-dream-4198', variable_sip_network_ip: '127.0.0.66' },
    ],
    [
      'an authorisation by an address list',
      {
        variable_sip_authorized: 'true',
        variable_sip_acl_authed_by: 'x',
        variable_sip_auth_username: 'icy-dream-4198',
        variable_sip_network_ip: '127.0.0.66',
      },
    ],
    ['an address that is none', { variable_sip_network_ip: "127.0.0.2' OR true" }],
    ['no address at all', { variable_sip_network_ip: null, 'Hunt-Network-Addr': null }],
    [
      'a gateway that is no UUID',
      { variable_sip_gateway: "x' OR 1=1", variable_sip_network_ip: '127.0.0.66' },
    ],
  ])('%s is challenged', async (_, changes) => {
    expect(await last(changes)).toBe('respond 407 Proxy Authentication Required')
  })

  test('an IPv4 address inside IPv6 is the same address', async () => {
    expect(
      await last({ variable_sip_network_ip: '::ffff:127.0.0.2', 'Hunt-Destination-Number': '14155550000' }),
    ).toBe('respond 404 Not Found')
  })

  test.each([
    '"}\n<x/>',
    '14155551234%0a',
    '${system(touch pwned)}',
    "1'||'",
    '\u0000',
    '💥',
    '1'.repeat(5000),
    '',
    '+',
    'a{b}c|d,e:_:f',
  ])('the destination %j goes nowhere and into no action', async (destination) => {
    const response = await post(
      app,
      '/freeswitch/xml',
      capturedFetch('dialplan-inbound-source-ip', {
        'Hunt-Destination-Number': destination,
        'Hunt-Caller-ID-Number': destination,
        'Hunt-Caller-ID-Name': destination,
      }),
    )
    expect(response.status).toBe(200)
    expect(actionsOf(await response.text())).toEqual([
      'set app_disable_expand_variables=true',
      'respond 404 Not Found',
    ])
  })

  test('one trunk cannot fill the error logs', async () => {
    for (let i = 0; i < 70; i++)
      await last({ 'Hunt-Destination-Number': `1415556${String(i).padStart(4, '0')}` })
    expect((await platform.db.select().from(errorLogs)).length).toBe(60)
  })
})

test('any bytes are answered, never with 500', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), fc.webQueryParameters()), async (body) => {
      const response = await post(app, '/freeswitch/xml', body)
      expect([200, 400]).toContain(response.status)
      const cdr = await post(app, '/freeswitch/cdr', body, 'application/json')
      expect(cdr.status).toBe(400)
    }),
    { numRuns: 300 },
  )
})

test('a form reads back as it was written', () => {
  const fields = fc.dictionary(fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/), fc.string({ unit: 'grapheme' }), {
    minKeys: 1,
  })
  fc.assert(
    fc.property(fields, (form) => {
      const body = Object.entries(form)
        .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
        .join('&')
      expect(readForm(body)).toEqual(new Map(Object.entries(form)))
    }),
  )
})

describe('the password of the switch listener', () => {
  test('is asked for where it is set', async () => {
    const guarded = createApp({
      ...platform,
      env: { ...platform.env, SWITCH_PASSWORD: 'swordfish' },
    }).switchApp
    const body = capturedFetch('configuration-timezones')
    expect((await post(guarded, '/freeswitch/xml', body)).status).toBe(401)
    expect((await post(guarded, '/freeswitch/cdr', '{}', 'application/json')).status).toBe(401)
    const headers = {
      Authorization: `Basic ${btoa('freeswitch:swordfish')}`,
      'Content-Type': 'application/x-www-form-urlencoded',
    }
    expect((await guarded.request('/freeswitch/xml', { method: 'POST', body, headers })).status).toBe(200)
    for (const path of ['/metrics', '/metrics/', '//metrics', '/%6detrics'])
      expect([401, 404], path).toContain((await guarded.request(path)).status)
    expect((await guarded.request('/metrics')).headers.get('www-authenticate')).toMatch(/^Basic /)
    const wrong = { Authorization: `Basic ${btoa('freeswitch:sword')}` }
    expect((await guarded.request('/metrics', { headers: wrong })).status).toBe(401)
    expect((await guarded.request('/metrics', { headers })).status).toBe(200)
  })
})

test('when the database is away, FreeSWITCH is told to ask elsewhere', async () => {
  const away = await createTestPlatform()
  await away.database.close()
  const response = await post(
    createApp(away).switchApp,
    '/freeswitch/xml',
    capturedFetch('dialplan-inbound-source-ip'),
  )
  expect(response.status).toBe(503)
})

describe('sofia.conf', () => {
  test('one gateway, as startgw asks for it, with its secret', async () => {
    const tenant = await createTenant(platform, 'Registering')
    const trunk = await createTrunk(platform, tenant, {
      authenticationMode: 'outbound_registration',
      username: 'myuser',
      password: 'my$${password}"<&',
      outboundHost: 'pbx.example.com:5060',
    })
    const document = await (
      await post(app, '/freeswitch/xml', capturedFetch('configuration-sofia-startgw', { gateway: trunk.id }))
    ).text()
    expect(document).toContain(`<gateway name="${trunk.id}">\n`)
    expect(document).toContain('<param name="password" value="my&#36;&#36;{password}&#34;&#60;&#38;"/>\n')
    expect(document).toContain(
      `<param name="contact-params" value="tok=${contactSecret(platform.keys, trunk)}"/>\n`,
    )
    expect(document).not.toContain('<settings>')
    const elsewhere = await createTrunk(platform, tenant, {
      authenticationMode: 'outbound_registration',
      region: 'helium',
      username: 'u',
      password: 'p',
      outboundHost: 'h.example',
    })
    const other = await post(
      app,
      '/freeswitch/xml',
      capturedFetch('configuration-sofia-startgw', { gateway: elsewhere.id }),
    )
    expect(await other.text()).not.toContain(elsewhere.id)
    const whole = await (
      await post(app, '/freeswitch/xml', capturedFetch('configuration-sofia-profile-start'))
    ).text()
    expect(whole).toContain(`<gateway name="${trunk.id}">\n`)
    expect(whole).not.toContain(elsewhere.id)
    expect(whole).toContain('<profile name="nat_gateway">\n')
    for (const must of [
      '<param name="auth-calls" value="false"/>',
      '<param name="enable-chat" value="false"/>',
      '<param name="disable-transfer" value="true"/>',
      '<param name="inbound-reg-force-matching-username" value="true"/>',
      '<param name="challenge-realm" value="trunks"/>',
      '<param name="force-register-domain" value="trunks"/>',
      '<param name="force-register-db-domain" value="trunks"/>',
      '<param name="rtp-timer-name" value="soft"/>',
      '<param name="sip-ip" value="$${sip_ip}"/>',
    ])
      expect(whole).toContain(`${must}\n`)
  })
})

describe('directory', () => {
  test('a digest user is its HA1 for the realm asked, never a password', async () => {
    const tenant = await createTenant(platform, 'Clients')
    await createTrunk(platform, tenant, {
      authenticationMode: 'client_credentials',
      username: 'icy-dream-4198',
      password: 'correct horse',
    })
    for (const name of ['directory-register-digest', 'directory-invite-digest']) {
      const document = await (await post(app, '/freeswitch/xml', capturedFetch(name))).text()
      // md5('icy-dream-4198:127.0.0.1:correct horse')
      expect(document).toContain('<param name="a1-hash" value="96c318c41de1a50a631577835c3c0108"/>')
      expect(document).toContain('<param name="allow-empty-password" value="false"/>')
      expect(document).toContain('<domain name="127.0.0.1">')
      expect(document).not.toContain('correct horse')
    }
  })

  test('anybody else is not found', async () => {
    for (const user of ['nobody', "x' OR true", ''])
      expect(
        await (
          await post(
            app,
            '/freeswitch/xml',
            capturedFetch('directory-register-digest', { user, sip_auth_username: user }),
          )
        ).text(),
      ).not.toContain('a1-hash')
  })
})
