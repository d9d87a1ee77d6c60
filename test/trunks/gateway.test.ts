import { describe, expect, test } from 'vitest'
import { deriveKeys } from '../../src/secrets.ts'
import { contactSecret } from '../../src/trunks/contact-secret.ts'
import { type RegisteringTrunk, toGateway, withoutPort } from '../../src/trunks/gateway.ts'

const keys = deriveKeys(Buffer.alloc(32, 7))
const trunk: RegisteringTrunk = {
  id: '0b2f4f6e-7c1d-4a53-9a44-0d1c5c4f8a11',
  username: 'myuser',
  authUser: null,
  outboundHost: 'pbx.example.com:5080',
  outboundProxy: null,
  version: 3,
}
const params = (change: Partial<RegisteringTrunk>) =>
  Object.fromEntries(toGateway({ ...trunk, ...change }, 'secret', keys).params)

test('a registering trunk is a gateway named by its id', () => {
  const gateway = toGateway(trunk, 'secret', keys)
  expect(gateway.name).toBe(trunk.id)
  expect(Object.fromEntries(gateway.params)).toEqual({
    username: 'myuser',
    'auth-username': 'myuser',
    password: 'secret',
    realm: 'pbx.example.com',
    'from-domain': 'pbx.example.com',
    proxy: 'pbx.example.com:5080',
    register: 'true',
    'expire-seconds': '600',
    'retry-seconds': '30',
    'timeout-seconds': '20',
    'caller-id-in-from': 'false',
    context: 'inbound',
    extension: 'auto',
    'contact-params': `tok=${contactSecret(keys, trunk)}`,
  })
  expect(gateway.variables).toEqual([
    { name: 'trunk_version', value: '3', direction: 'both' },
    { name: 'sip_cid_type', value: 'pid', direction: 'outbound' },
  ])
})

test('outbound_proxy is the next hop of REGISTER and INVITE, and changes no identity', () => {
  expect(params({ outboundProxy: 'proxy.example.com:5070' })).toEqual({
    ...params({}),
    'contact-params': `tok=${contactSecret(keys, { ...trunk, outboundProxy: 'proxy.example.com:5070' })}`,
    'register-proxy': 'proxy.example.com:5070',
    'outbound-proxy': 'proxy.example.com:5070',
  })
})

test('auth_user answers the challenge while username stays the identity', () => {
  expect(params({ authUser: 'digest-name' })).toEqual({ ...params({}), 'auth-username': 'digest-name' })
})

describe('withoutPort', () => {
  test.each([
    ['pbx.example.com', 'pbx.example.com'],
    ['pbx.example.com:5080', 'pbx.example.com'],
    ['192.0.2.1:5060', '192.0.2.1'],
    ['[2001:db8::1]', '[2001:db8::1]'],
    ['[2001:db8::1]:5060', '[2001:db8::1]'],
  ])('%s is %s', (host, expected) => expect(withoutPort(host)).toBe(expected))
})
