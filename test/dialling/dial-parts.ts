import fc from 'fast-check'

// Documents of Dials, made of parts that know what must become of them.

/** What must become of a target: a leg, none although the document is right, or no document. */
export type Becomes = { endpoint: string; variables: Record<string, string> } | 'not rung' | 'refused'
/** A noun of a Dial, as XML. */
export type Part = { xml: string; becomes: Becomes }

/** Stands in an expected variable for the id of the leg's own call. */
export const itsCall = 'ITS-CALL'

const escapeXml = (text: string) => text.replace(/[^A-Za-z0-9 ]/gu, (c) => `&#${c.codePointAt(0)};`)

// Each ends in a character that no checked part may have: it is noise wherever it stands.
const hostileUnits = [...'${}[]()<>|,;:_!\\\'"`%^&=', ':_:', '${system(x)}', 'ARRAY::', '@evil.example']
const noise = fc
  .array(fc.constantFrom(...hostileUnits, 'a', '1', '+'), { minLength: 1, maxLength: 12 })
  .map((units) => `pwned7f3${units.join('')}|`)

const number = fc
  .tuple(fc.constantFrom('+1', '+44'), fc.integer({ min: 2_120_000_000, max: 9_890_000_000 }))
  .map(([country, rest]) => `${country}${rest}`)
const keys = fc.string({ unit: fc.constantFrom(...'0123456789*#wW'), minLength: 1, maxLength: 32 })
const numberPart: fc.Arbitrary<Part> = fc
  .record({ text: number, digits: fc.option(keys), whispers: fc.boolean() })
  .map(({ text, digits, whispers }) => ({
    xml: `<Number${digits === null ? '' : ` sendDigits="${escapeXml(digits)}"`}${
      whispers ? ' url="https://app.example.com/whisper"' : ''
    }>${text}</Number>`,
    becomes: text.startsWith('+1')
      ? {
          endpoint: `sofia/nat_gateway/sip:${text.slice(1)}@far.example.com`,
          variables: {
            ...(digits === null ? {} : { execute_on_answer_digits: `send_dtmf ${digits}` }),
            ...(whispers
              ? { group_confirm_key: 'exec', group_confirm_file: `execute_extension ${itsCall} XML twiml` }
              : {}),
          },
        }
      : 'not rung',
  }))

const user = fc.string({ unit: fc.constantFrom(...'abcXYZ019._+*-'), minLength: 1, maxLength: 20 })
const outside = fc.constantFrom(
  'sip.example.com',
  '203.0.114.7:5080',
  '[2606:4700::1111]',
  'a-b.example.com:1',
)
const inside = fc.constantFrom(
  '10.0.0.6',
  '127.0.0.1:8021',
  '[::1]',
  '[::ffff:7f00:1]',
  'pbx',
  'a.localdomain',
)
const header = fc.tuple(
  fc.string({ unit: fc.constantFrom(...'abcXYZ019-'), minLength: 1, maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(...'abcXYZ019 .+@/-'), maxLength: 20 }),
)
const sipParts = {
  scheme: fc.constantFrom('sip:', 'sip://'),
  user,
  transport: fc.constantFrom('', ';transport=tcp', ';transport=tls'),
  headers: fc.uniqueArray(header, { maxLength: 3, selector: ([name]) => name }),
}
const query = (headers: readonly [string, string][]) =>
  headers.length === 0
    ? ''
    : `?${headers.map(([name, value]) => `X-${name}=${encodeURIComponent(value)}`).join('&')}`

const sipPart = (host: fc.Arbitrary<string>, isPublic: boolean): fc.Arbitrary<Part> =>
  fc.record({ ...sipParts, host }).map(({ scheme, host: at, transport, headers, ...who }) => ({
    xml: `<Sip>${escapeXml(`${scheme}${who.user}@${at}${transport}${query(headers)}`)}</Sip>`,
    becomes: isPublic
      ? {
          endpoint: `sofia/nat_gateway/sip:${who.user}@${at}${transport}`,
          variables: Object.fromEntries(headers.map(([name, value]) => [`sip_h_X-${name}`, value])),
        }
      : 'not rung',
  }))

const hostilePart: fc.Arbitrary<Part> = fc
  .tuple(
    noise.map(escapeXml),
    fc.constantFrom<(text: string) => string>(
      (text) => `<Number>${text}</Number>`,
      (text) => `<Number>+14155550001${text}</Number>`,
      (text) => `<Number sendDigits="1${text}">+14155550001</Number>`,
      (text) => `<Sip>${text}</Sip>`,
      (text) => `<Sip>sip:${text}@sip.example.com</Sip>`,
      (text) => `<Sip>sip:bob@${text}</Sip>`,
      (text) => `<Sip>sip:bob@sip.example.com;transport=${text}</Sip>`,
      (text) => `<Sip>sip:bob@sip.example.com?${text}=1</Sip>`,
      (text) => `<Sip>sip:bob@sip.example.com?X-A=${text}</Sip>`,
      (text) => `<Sip mood="${text}"><Number>1</Number></Sip>`,
    ),
  )
  .map(([text, write]) => ({ xml: write(text), becomes: 'refused' }))

const goodParts = [numberPart, sipPart(outside, true), sipPart(inside, false)]
/** Whom a Dial rings; in one of four there is one that refuses the document. */
export const parts = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.oneof(...goodParts), { minLength: 1, maxLength: 5 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(fc.oneof(...goodParts), { maxLength: 3 }), hostilePart)
      .map(([good, bad]) => [...good, bad]),
  },
)

/** Values of the Dial itself that let the document pass, whatever they say. */
export const attributes = fc.record(
  {
    timeout: fc.oneof(fc.integer({ min: 1, max: 600 }).map(String), noise),
    timeLimit: fc.oneof(fc.integer({ min: 1, max: 86400 }).map(String), noise),
    ringTone: fc.oneof(fc.constant('uk'), noise),
    hangupOnStar: fc.oneof(fc.constant('true'), noise),
    answerOnBridge: fc.oneof(fc.constant('true'), noise),
    sequential: fc.oneof(fc.constant('true'), noise),
    mood: noise,
    callerId: fc.constant('+14155551234'),
  },
  { requiredKeys: [] },
)

/** The document. */
export const write = (values: Record<string, string>, targets: readonly Part[]) => {
  const written = Object.entries(values).map(([name, value]) => ` ${name}="${escapeXml(value)}"`)
  return `<Response><Dial${written.join('')}>${targets.map(({ xml }) => xml).join('')}</Dial></Response>`
}
