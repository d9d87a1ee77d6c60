import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type E164,
  formatted,
  keptAs,
  nationalFormat,
  normalise,
  prefixesOf,
  shown,
  stored,
} from '../../src/numbers/e164.ts'

// country, number, every way of dialling it in that country
const forms: [string, string, string[]][] = [
  ['KH', '+85568308532', ['068308532', '85568308532', '+85568308532', '0085568308532', '00185568308532']],
  ['KH', '+85512234567', ['012234567', '12234567', '85512234567', '+855 12 234 567']],
  ['LA', '+8562092960310', ['02092960310', '8562092960310', '008562092960310', '+8562092960310']],
  ['US', '+14155551234', ['4155551234', '14155551234', '+14155551234', '01114155551234', '(415) 555-1234']],
  ['US', '+85512234567', ['01185512234567', '+85512234567', '0085512234567']],
  ['GB', '+442079460000', ['02079460000', '442079460000', '00442079460000', '+442079460000', '2079460000']],
  ['MX', '+528188888888', ['018188888888', '8188888888', '528188888888', '5218188888888', '+5218188888888']],
  ['MX', '+528188888888', ['0448188888888', '0458188888888', '00528188888888']],
  ['RU', '+79161234567', ['89161234567', '79161234567', '+79161234567', '9161234567', '81079161234567']],
  ['RU', '+85512234567', ['85512234567', '81085512234567', '+85512234567']],
  ['SG', '+6591234567', ['91234567', '6591234567', '+6591234567', '0016591234567']],
  ['SG', '+6565123456', ['65123456', '6565123456', '+6565123456']],
  ['IT', '+390612345678', ['0612345678', '390612345678', '+390612345678', '00390612345678']],
  ['IT', '+393331234567', ['3331234567', '393331234567', '+393331234567']],
  ['DE', '+4930123456', ['030123456', '4930123456', '+4930123456', '004930123456']],
  [
    'BR',
    '+5511987654321',
    ['011987654321', '01511987654321', '11987654321', '5511987654321', '+5511987654321'],
  ],
]

describe.each(forms)('dialled in %s, %s', (country, number, dialled) => {
  test.each(dialled)('is what %s means', (text) => {
    expect(normalise(text, country)).toBe(number)
  })
})

const untouched: [string | null, string][] = [
  ['US', '6703'],
  ['DE', '6703'],
  ['SG', '1294'],
  ['KH', '1294'],
  ['US', 'anonymous'],
  ['US', 'icy-dream-4198'],
  ['US', ''],
  ['US', '+'],
  [null, '6703'],
  [null, '012234567'],
  ['US', '5551234'],
  ['US', '1415555123412341234'],
  ['KH', '1"}\n'],
]
test.each(untouched)('in %s, %j passes untouched', (country, text) => {
  expect(normalise(text, country)).toBe(text)
})

test('without a country, a bare number counts as international', () => {
  expect(normalise('14155551234', null)).toBe('+14155551234')
  expect(normalise('0014155551234', null)).toBe('+14155551234')
})

test('normalising twice is normalising once', () => {
  const countries = fc.constantFrom(
    'KH',
    'LA',
    'US',
    'GB',
    'MX',
    'RU',
    'SG',
    'IT',
    'DE',
    'BR',
    'AR',
    'AU',
    'KZ',
    'XX',
    null,
  )
  const dialled = fc.oneof(
    fc.stringMatching(/^\+?[0-9]{1,18}$/),
    fc
      .tuple(
        fc.constantFrom('0', '00', '011', '1', '52', '521', '+54', '+549', '8'),
        fc.stringMatching(/^[0-9]{4,12}$/),
      )
      .map((parts) => parts.join('')),
    fc.string(),
  )
  fc.assert(
    fc.property(dialled, countries, (text, country) => {
      const once = normalise(text, country)
      expect(normalise(once, country)).toBe(once)
    }),
    { numRuns: 3000, examples: [['+310000000', 'KH']] },
  )
})

const national: [string, string][] = [
  ['+855716100987', '0716100987'],
  ['+85516701721', '016701721'],
  ['+16505130514', '6505130514'],
  ['+8562092960310', '02092960310'],
  ['+442079460000', '02079460000'],
  ['+390612345678', '0612345678'],
  ['+85523238265', '023238265'],
]
test.each(national)('%s is dialled %s at home', (number, dialled) => {
  expect(nationalFormat(number as E164)).toBe(dialled)
})

test('a stored number is shown with its plus, a short code without', () => {
  expect(shown('14155551234')).toBe('+14155551234')
  expect(shown('1294')).toBe('1294')
})

test('a number is found by how people read it', () => {
  expect(keptAs('(202) 555-0123')).toEqual(['12025550123'])
  expect(keptAs('+44 20 7946 0000')).toEqual(['442079460000'])
  expect(keptAs('1294')).toEqual(['1294'])
  for (const other of ['2025550123', '(202) 555 0123', 'Front desk', '', '+44 2079460000'])
    expect(keptAs(other)).toEqual([])
  const kept = fc
    .oneof(...[/^[0-9]{1,15}$/, /^1[2-9][0-9]{9}$/, /^44[0-9]{10}$/].map((form) => fc.stringMatching(form)))
    .map((digits) => stored(normalise(`+${digits}`, null)))
  fc.assert(
    fc.property(kept, (number) => {
      expect(keptAs(formatted(shown(number)))).toContain(number)
    }),
    { numRuns: 3000 },
  )
})

test('the prefixes of a number go from the longest to the empty one', () => {
  expect(prefixesOf('+1415')).toEqual(['1415', '141', '14', '1', ''])
})
