import fc from 'fast-check'
import { XMLParser } from 'fast-xml-parser'
import { expect, test } from 'vitest'
import { dialplanDocument, element, notFoundDocument, print } from '../../src/freeswitch/document.ts'

test('prints a dialplan, one tag a line', () => {
  expect(dialplanDocument('inbound', [{ application: 'respond', data: '404 Not Found' }])).toBe(
    [
      '<document type="freeswitch/xml">',
      '<section name="dialplan">',
      '<context name="inbound">',
      '<extension name="call">',
      '<condition>',
      '<action application="respond" data="404 Not Found"/>',
      '</condition>',
      '</extension>',
      '</context>',
      '</section>',
      '</document>',
      '',
    ].join('\n'),
  )
})

test('prints the not-found document', () => {
  expect(notFoundDocument).toBe(
    '<document type="freeswitch/xml">\n<section name="result">\n<result status="not found"/>\n</section>\n</document>\n',
  )
})

test('prints a global of FreeSWITCH only where it is asked for', () => {
  expect(print(element('param', { name: 'sip-ip', value: { global: 'sip_ip' } }))).toBe(
    '<param name="sip-ip" value="$${sip_ip}"/>\n',
  )
  expect(print(element('param', { name: 'x', value: '$${sip_ip}' }))).toBe(
    '<param name="x" value="&#36;&#36;{sip_ip}"/>\n',
  )
})

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  htmlEntities: true,
  parseAttributeValue: false,
  trimValues: false,
})
const hostile = fc.constantFrom(
  '<?xml?>',
  'x-pre-process',
  'X-PRE-PROCESS cmd="exec"',
  '<X-PRE-PROCESS cmd="exec" data="touch pwned"/>',
  '$${hostname}',
  '${system(id)}',
  '<include>',
  '<!--#exec "id"-->',
  ']]>',
  '\r\n',
  '&#36;',
  '\u0000',
  '\ud800',
)
const text = fc.array(fc.oneof(fc.string({ unit: 'binary' }), hostile)).map((parts) => parts.join(''))

// What XML can hold at all: control characters and half characters are left out by the writer.
const holdable = (value: string) =>
  Array.from(value)
    .filter((character) => {
      const code = character.codePointAt(0) ?? 0
      const control = (code < 0x20 && ![9, 10, 13].includes(code)) || code === 0x7f
      return !control && !(code >= 0xd800 && code <= 0xdfff) && ![0xfffe, 0xffff].includes(code)
    })
    .join('')

test('any text parses back equal, and no line is one that the preprocessor would touch', () => {
  fc.assert(
    fc.property(text, (value) => {
      const printed = print(element('param', { name: 'x', value }))
      expect(printed.split('\n')).toHaveLength(2)
      expect(printed).not.toMatch(/<\?|x-pre-process|\$\$|\$\{/i)
      const parsed = parser.parse(printed, true) as { param: { value: string } }
      expect(parsed.param.value).toBe(holdable(value))
    }),
    { numRuns: 2000 },
  )
})
