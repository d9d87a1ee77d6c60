import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readTwiml } from '../../src/twiml/read-twiml.ts'
import { problemOf, twiml, verbsOf } from './compile.ts'

describe('documents that are none', () => {
  test.each([
    ['', 1, 'The document is empty.'],
    [' \n ', 1, 'The document is empty.'],
    ['hello', 1, "The document is not well-formed: char 'h' is not expected."],
    ['{"a":1}', 1, "The document is not well-formed: char '{' is not expected."],
    ['<Response>', 1, "The document is not well-formed: Unclosed tag 'Response'."],
    [
      '<Response>\n<Say>x</Sai>\n</Response>',
      2,
      "The document is not well-formed: Expected closing tag 'Say' (opened in line 2, col 1) instead of closing tag 'Sai'.",
    ],
    [
      '<Response>\r\n\r\n<Say loop=1/></Response>',
      3,
      "The document is not well-formed: Attribute 'loop' is without value.",
    ],
    [
      '<Response>\n<Say a="1" a="2"/></Response>',
      2,
      "The document is not well-formed: Attribute 'a' is repeated.",
    ],
    ['<Response>\n<Say>\u0007</Say></Response>', 2, 'The document has a character that XML forbids.'],
    ['<Response>\n\n<Say>\0</Say></Response>', 3, 'The document has a character that XML forbids.'],
    ['<!DOCTYPE html><html/>', 1, 'A document type (DOCTYPE) is not allowed.'],
    [
      '<?xml version="1.0"?>\n<!doctype Response [<!ENTITY a "b">]>\n<Response/>',
      2,
      'A document type (DOCTYPE) is not allowed.',
    ],
    ['<!-- x -->\n<!-- <!DOCTYPE a> -->', 1, 'The document is not well-formed: Start tag expected.'],
    ['<Response/>\n<Response/>', 2, 'The document has a second root element.'],
    [
      `<Response>${'<Say>'.repeat(40)}${'</Say>'.repeat(40)}</Response>`,
      1,
      'The document is not well-formed: Maximum nested tags exceeded.',
    ],
    ['<Response>x</Response>'.replace('x', 'x'.repeat(65_536)), 1, 'The document is longer than 64 KB.'],
    ['<Response>x</Response>'.replace('x', '漢'.repeat(22_000)), 1, 'The document is longer than 64 KB.'],
    ['<__proto__/>', 1, expect.stringMatching(/^The document is not well-formed: /)],
  ])('%#', (document, line, message) => {
    expect(problemOf(document)).toEqual({ message, line, verb: null })
  })

  test('10 MB are refused at once', () => {
    const document = `<Response>${'<Say>x</Say>'.repeat(900_000)}</Response>`
    const started = performance.now()
    expect(problemOf(document).message).toBe('The document is longer than 64 KB.')
    expect(performance.now() - started).toBeLessThan(500)
  })

  test.each([
    ['<response/>', 'response'],
    ['<html><body/></html>', 'html'],
    ['<a:Response xmlns:a="x"/>', 'a:Response'],
  ])('the root of %s', (document, verb) => {
    expect(problemOf(document)).toEqual({ message: 'The root element must be <Response>.', line: 1, verb })
  })
})

describe('verbs that are none', () => {
  test.each([
    'Enqueue',
    'Leave',
    'Sms',
    'Message',
    'Connect',
    'Start',
    'Stop',
    'Pay',
    'Prompt',
    'Refer',
    'Siprec',
    'say',
    'SAY',
    'toString',
    'constructor-x',
    'Response',
    'X-PRE-PROCESS',
  ])('<%s> is refused by name and line', (name) => {
    const shown = name === 'toString' ? '__toString' : name
    expect(problemOf(`<Response>\n<Say>x</Say>\n\n<${name}/></Response>`)).toEqual({
      message: `<${shown}> is not supported.`,
      line: 4,
      verb: shown,
    })
  })

  test('the first of several problems is told, wherever it stands', () => {
    const document = '<Response><Say>ok</Say>\n<Gather>\n<Say>ok</Say>\n<Dial/>\n</Gather><Foo/></Response>'
    expect(problemOf(document)).toEqual({
      message: '<Dial> is not allowed within <Gather>.',
      line: 4,
      verb: 'Dial',
    })
  })

  test('a text that is too long for Say', () => {
    expect(problemOf(`<Response><Say>${'x'.repeat(4097)}</Say></Response>`).message).toBe(
      'The text of <Say> is longer than 4096 characters.',
    )
    expect(verbsOf(`<Response><Say>${'x'.repeat(4096)}</Say></Response>`)).toHaveLength(1)
  })
})

describe('documents that are fine', () => {
  test.each([
    ['\ufeff<Response/>', 0],
    ['<?xml version="1.0" encoding="UTF-8"?>\r\n<Response>\r\n</Response>\r\n', 0],
    ['<!-- a --><Response><?pi x?><Hangup/></Response><!-- b -->', 1],
    ['<Response xmlns:xsi="x" xsi:schema="y"><Hangup></Hangup></Response>', 1],
    ['<Response><Say><![CDATA[<!DOCTYPE x> ]] > ]]></Say></Response>', 1],
  ])('%#', (document, count) => {
    expect(verbsOf(document)).toHaveLength(count)
  })

  test('lines are those of the opening tag, for every kind of line end', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const document = [
        '<Response>',
        '<Say',
        ' voice="man">a',
        '</Say>',
        '',
        '<Pause/><Hangup/>',
        '</Response>',
      ].join(end)
      expect(verbsOf(document).map(({ line }) => line)).toEqual([2, 6, 6])
    }
  })
})

describe('laws', () => {
  test('no text makes reading fail or take long', () => {
    const noise = fc.string({ unit: 'binary', maxLength: 300 })
    const pieces = fc.constantFrom(
      '<Response>',
      '</Response>',
      '<Say>',
      '</Say>',
      '<Dial>',
      '</Dial>',
      '<Number>',
      '</Number>',
      '<Gather ',
      '/>',
      '>',
      '<![CDATA[',
      ']]>',
      '<!--',
      '-->',
      '<?',
      '?>',
      '<!DOCTYPE',
      '&amp;',
      '&#x0;',
      '&',
      '"',
      "'",
      '=',
      'loop="2"',
      ' ',
      '\n',
      'x',
    )
    const soup = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(''))
    const wrapped = fc.tuple(soup, noise).map(([a, b]) => `<Response>${a}${b}</Response>`)
    fc.assert(
      fc.property(fc.oneof(noise, soup, wrapped), (text) => {
        const started = performance.now()
        const read = readTwiml(text, null)
        if (!read.ok)
          expect(read.problem).toMatchObject({ message: expect.any(String), line: expect.any(Number) })
        expect(performance.now() - started).toBeLessThan(1000)
      }),
      { numRuns: 500 },
    )
  })

  test('what the official package writes is read back: any text of a Say, blanks folded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        const clean = text.replace(/[\ufffe\uffff]/gu, '').replace(/[^\P{Cc}\t\n\r]/gu, '')
        const [verb] = verbsOf(twiml((r) => r.say(clean)))
        const folded = clean.replace(/[\s\p{Cc}]+/gu, ' ').trim()
        expect(verb).toMatchObject({ verb: 'Say', source: { text: folded } })
      }),
      { numRuns: 300 },
    )
  })

  test('the line of a problem is the line where it stands', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom('<Say>a\nb</Say>', '<Pause/>', '\n', '<!-- \n\n -->', '\r\n', '<Play>\n/x</Play>'),
        ),
        (before) => {
          const start = `<Response>${before.join('')}`
          const line = start.split(/\r\n|\n/).length
          expect(problemOf(`${start}<Wrong/>\n</Response>`).line).toBe(line)
        },
      ),
    )
  })
})
