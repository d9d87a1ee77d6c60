import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { endpoint, numberPart, shownNumber } from '../../src/trunks/dial-string.ts'
import type { Trunk } from '../../src/trunks/trunk.ts'

// The table of the specification ("Outbound Dial String Construction") and contract section 7, in full: every combination
// of prefix, plus and national dialling, for a country without trunk prefix (+1), two with one (+44, +855), one that keeps
// its zero (+39), and a short code.

const destinations = {
  '+14155551234': { digits: '14155551234', national: '4155551234' },
  '+442079460000': { digits: '442079460000', national: '02079460000' },
  '+855716100987': { digits: '855716100987', national: '0716100987' },
  '+390612345678': { digits: '390612345678', national: '0612345678' },
}
const prefixes = [null, '9', '1234', '+1', '#31#', '*67']
const flags = [false, true]

const table = Object.entries(destinations).flatMap(([number, { digits, national }]) =>
  prefixes.flatMap((prefix) =>
    flags.flatMap((plus) =>
      flags.map((nationally) => {
        const dialled = nationally ? national : digits
        const before = `${plus ? '+' : ''}${prefix ?? ''}`.replace('++', '+')
        return { number, prefix, plus, nationally, expected: `${before}${dialled}` }
      }),
    ),
  ),
)

const dialling = (prefix: string | null, plus: boolean, national: boolean) => ({
  outboundDialStringPrefix: prefix,
  outboundPlusPrefix: plus,
  outboundNationalDialing: national,
})

test.each(table)(
  '$number, prefix $prefix, plus $plus, national $nationally: $expected',
  ({ number, prefix, plus, nationally, expected }) => {
    expect(numberPart(dialling(prefix, plus, nationally), number)).toBe(expected)
  },
)

// Written out, so that the table's own reckoning is checked too (somleng.md 4.4 has most of these).
test.each([
  ['+855716100987', null, false, false, '855716100987'],
  ['+855716100987', '1234', true, false, '+1234855716100987'],
  ['+855716100987', null, false, true, '0716100987'],
  ['+85516701721', null, true, false, '+85516701721'],
  ['+16505130514', null, false, true, '6505130514'],
  ['+8562092960310', '1', false, true, '102092960310'],
  ['+14155551234', '+1', true, false, '+114155551234'],
  ['+390612345678', null, false, true, '0612345678'],
  ['+390612345678', '9', true, true, '+90612345678'],
])('%s, prefix %s, plus %s, national %s is dialled %s', (number, prefix, plus, national, expected) => {
  expect(numberPart(dialling(prefix, plus, national), number)).toBe(expected)
})

describe('a short code', () => {
  test.each([
    [null, false, false, '1294'],
    [null, true, true, '1294'],
    ['9', true, false, '91294'],
    ['+1', false, true, '+11294'],
  ])('prefix %s, plus %s, national %s: %s', (prefix, plus, national, expected) => {
    expect(numberPart(dialling(prefix, plus, national), '1294')).toBe(expected)
  })
})

const trunk = (settings: Partial<Trunk> = {}) => ({
  id: '6f0c9f1e-3b5a-4c59-9f59-6a1d3c2e7b10',
  authenticationMode: 'ip_address' as const,
  outboundHost: 'pbx.example.com:5060',
  outboundProxy: null,
  ...dialling(null, false, false),
  ...settings,
})

describe('where it is dialled', () => {
  test.each<[string, Partial<Trunk>, string | null, string | null]>([
    ['ip_address', {}, null, 'sofia/nat_gateway/sip:14155551234@pbx.example.com:5060'],
    [
      'ip_address through a proxy',
      { outboundProxy: 'proxy.example.com' },
      null,
      'sofia/nat_gateway/sip:14155551234@pbx.example.com:5060;fs_path=sip:proxy.example.com',
    ],
    ['ip_address without a host', { outboundHost: null }, null, null],
    [
      'an IPv6 host',
      { outboundHost: '[2001:db8::1]:5080' },
      null,
      'sofia/nat_gateway/sip:14155551234@[2001:db8::1]:5080',
    ],
    [
      'outbound_registration: its gateway, prefix, plus and all',
      {
        authenticationMode: 'outbound_registration',
        outboundPlusPrefix: true,
        outboundDialStringPrefix: '99',
      },
      null,
      'sofia/gateway/6f0c9f1e-3b5a-4c59-9f59-6a1d3c2e7b10/+9914155551234',
    ],
    [
      'client_credentials with a host',
      { authenticationMode: 'client_credentials' },
      '192.0.2.7:5062',
      'sofia/nat_gateway/sip:14155551234@pbx.example.com:5060',
    ],
    [
      'client_credentials, registered',
      { authenticationMode: 'client_credentials', outboundHost: null, outboundNationalDialing: true },
      '192.0.2.7:5062',
      'sofia/nat_gateway/sip:4155551234@192.0.2.7:5062',
    ],
    [
      'client_credentials, registered over TCP',
      { authenticationMode: 'client_credentials', outboundHost: null },
      '[2001:db8::7]:40001;transport=tcp',
      'sofia/nat_gateway/sip:14155551234@[2001:db8::7]:40001;transport=tcp',
    ],
    [
      'client_credentials, not registered',
      { authenticationMode: 'client_credentials', outboundHost: null },
      null,
      null,
    ],
  ])('%s', (_, settings, contact, expected) => {
    expect(endpoint(trunk(settings), '+14155551234', contact)).toBe(expected)
  })

  test('nothing but checked parts gets in', () => {
    for (const number of [
      '1@evil.example.com',
      '1;transport=tcp',
      '1}loopback/evil',
      '1,sofia/x/y',
      '',
      'a b',
    ])
      expect(endpoint(trunk(), number, null)).toBeNull()
    expect(endpoint(trunk({ outboundHost: 'a.example.com/evil' }), '+14155551234', null)).toBeNull()
  })

  test('whatever the number and the prefix, there is one plus at the most, and it stands first', () => {
    const digits = fc.stringMatching(/^\+?[0-9]{1,15}$/)
    fc.assert(
      fc.property(digits, fc.option(digits), fc.boolean(), fc.boolean(), (number, prefix, plus, national) => {
        expect(numberPart(dialling(prefix, plus, national), number)).toMatch(/^\+?[0-9]+$/)
      }),
    )
  })
})

describe('the caller id', () => {
  test.each([
    ['+19175559876', false, false, '19175559876'],
    ['+19175559876', true, false, '+19175559876'],
    ['+19175559876', true, true, '9175559876'],
    ['+85523238265', false, true, '023238265'],
    ['+390612345678', false, true, '0612345678'],
  ])('%s, plus %s, national %s is shown as %s', (number, plus, national, expected) => {
    expect(shownNumber(dialling('9', plus, national), number)).toBe(expected)
  })

  test.each(['6703', 'anonymous', '1294', 'alice', 'Anonymous'])('%s is no number and passes', (text) => {
    for (const plus of flags)
      for (const national of flags) expect(shownNumber(dialling('9', plus, national), text)).toBeNull()
  })
})
