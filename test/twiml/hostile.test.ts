import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { promptName } from '../../src/audio/prompt.ts'
import type { Action } from '../../src/dialplan-action.ts'
import { deriveKeys } from '../../src/secrets.ts'
import { readTwiml } from '../../src/twiml/read-twiml.ts'
import { writeSegment } from '../../src/twiml/verb.ts'
import { base, factsFor } from './compile.ts'
import { type Hostile, hostileDocuments, hostileStructures, hostileTexts, places, spread } from './hostile.ts'

const marker = 'pwned7f3'
const keys = deriveKeys(Buffer.alloc(32))

// All that action data may be, application by application.
const file = String.raw`(?:http://switch:3001/freeswitch/audio/[0-9a-f]{32}\.wav|silence_stream://\d+|tone_stream://%\(500,0,1000\))`
const stream = `(?:${file}|file_string://${file}(?:!${file})*)`
const recording = String.raw`http_cache://http://switch:3001/freeswitch/recordings/aBc123\.wav`
const call = '11111111-2222-4333-8444-555555555555'
const child = '99999999-2222-4333-8444-555555555555'
const legVariable = [
  'outbound_redirect_fatal=true',
  'sip_copy_custom_headers=false',
  String.raw`leg_timeout=\d+`,
  String.raw`execute_on_answer_limit=sched_hangup \+\d+ ALLOTTED_TIMEOUT`,
  'execute_on_answer_digits=send_dtmf [0-9*#wW]+',
  'group_confirm_key=exec',
  `group_confirm_file=execute_extension ${child} XML twiml`,
  'sip_h_X-[A-Za-z0-9-]+=[A-Za-z0-9 _.+@:/-]*',
].join('|')
const leg = String.raw`\[(?:${legVariable})(?:,(?:${legVariable}))*\]sofia/gateway/trunk/\d`
const grammar: Record<string, string> = {
  answer: '',
  flush_dtmf: '',
  sleep: String.raw`\d+`,
  playback: stream,
  loop_playback: String.raw`\+\d+ ${stream}`,
  send_dtmf: '[0-9*#wW]{1,99}',
  respond: '486 Busy Here|603 Decline',
  hangup: 'NORMAL_CLEARING',
  unset: '[A-Za-z_]+',
  set: [
    String.raw`twiml_at=3\.\d+(?:@4)?`,
    'playback_terminators=(?:none|[0-9*#]{1,12})',
    'hangup_after_bridge=false|continue_on_fail=true|ignore_early_media=true|sip_copy_custom_headers=false',
    'effective_caller_id_name=_undef_',
    'preserve_originated_vars=false',
    String.raw`call_timeout=\d+`,
    'ringback=[%(),;0-9]+',
    String.raw`bridge_terminate_key=\*`,
    'effective_caller_id_number=[A-Za-z0-9._+*#-]{1,64}',
    'RECORD_(?:STEREO|BRIDGE_REQ|READ_ONLY|WRITE_ONLY)=(?:true|false)',
    'originate_disposition=NO_ROUTE_DESTINATION',
  ].join('|'),
  play_and_get_digits: String.raw`0 \d+ 1 \d+ (?:none|[0-9*#]) (?:silence|${stream}) silence_stream://10 digits \^\[0-9\*#\]\*\$ \d+`,
  transfer: `${call} XML twiml`,
  execute_extension: `${call} XML twiml`,
  bridge: `${leg}(?:[,|]${leg})*`,
  record: String.raw`${recording} \d+ 200 \d+`,
  record_session: recording,
  stop_record_session: recording,
}
const allowed = new Map(Object.entries(grammar).map(([name, data]) => [name, new RegExp(`^(?:${data})$`)]))

// The value of a custom header is a checked part: it may say anything in the characters that it may have.
const headerValues = /sip_h_X-[A-Za-z0-9-]+=[A-Za-z0-9 _.+@:/-]*/g

function expectHarmless({ application, data }: Action) {
  const known = allowed.get(application)?.test(data) === true
  const forked = /:_:|ARRAY::/.test(data)
  if (!known || forked || data.replaceAll(headerValues, '').includes(marker))
    expect.fail(`${application} ${data}`)
}

// Everything that a document can be made to do: from each of its verbs, in both roles, answered or not.
function expectHarmlessDocument({ name, document }: Hostile): 'accepted' | 'refused' {
  const read = readTwiml(document, base)
  if (!read.ok) {
    if (!(read.problem.line > 0) || read.problem.message.length > 400)
      expect.fail(`${name}: ${read.problem.message}`)
    return 'refused'
  }
  for (let from = 0; from <= Math.min(read.verbs.length, 60); from++)
    for (const facts of [
      {},
      { answered: true },
      { answered: true, role: { kind: 'whisper', depth: 3 } as const },
    ]) {
      const promptUrl = (source: Parameters<typeof promptName>[1]) =>
        `http://switch:3001/freeswitch/audio/${promptName(keys, source)}.wav`
      const { actions } = writeSegment(read.verbs, from, factsFor(read.verbs, from, { promptUrl, ...facts }))
      actions.forEach(expectHarmless)
      if (actions.length > 2200) expect.fail(`${name}: ${actions.length} actions`)
    }
  return 'accepted'
}

describe('hostile documents', () => {
  test('the corpus is what it says', () => {
    expect(new Set(hostileTexts(marker)).size).toBeGreaterThan(80)
    for (const text of hostileTexts(marker)) expect(text).toContain(marker)
    expect(hostileDocuments(marker).length).toBeGreaterThan(5000)
    expect(Object.keys(places).length).toBeGreaterThan(60)
  })

  test.each(Object.keys(places))('%s', (place) => {
    const documents = hostileDocuments(marker).filter(({ name }) => name.startsWith(`${place}: `))
    expect(documents.length).toBe(hostileTexts(marker).length)
    documents.forEach(expectHarmlessDocument)
  })

  test('some are accepted, some refused: both ways are gone', () => {
    const ends = spread(hostileDocuments(marker), 500).map(expectHarmlessDocument)
    expect(ends.filter((end) => end === 'accepted').length).toBeGreaterThan(100)
    expect(ends.filter((end) => end === 'refused').length).toBeGreaterThan(100)
  })

  test('documents that are wrong as a whole', () => {
    for (const hostile of hostileStructures(marker)) {
      const started = performance.now()
      expectHarmlessDocument(hostile)
      expect(performance.now() - started, hostile.name).toBeLessThan(3000)
    }
  })
})

describe('laws', () => {
  const checkedPart = /^[A-Za-z0-9._+*#@:/ -]*$/

  test('no text in any place reaches action data, unless it is a checked number, user, host or header value', () => {
    const names = Object.keys(places)
    const escapeAll = (text: string) => text.replace(/[^A-Za-z0-9 ]/gu, (c) => `&#${c.codePointAt(0)};`)
    const text = fc
      .string({
        unit: fc.constantFrom(...'${}[]()<>|,;:_!\\\'"`%^&#@=+-*/. \u0020abcXYZ019é漢'),
        minLength: 1,
        maxLength: 40,
      })
      .map((noise) => `${noise}${marker}${noise}`)
      .filter((noise) => !checkedPart.test(noise))
    fc.assert(
      fc.property(fc.constantFrom(...names), text, (place, noise) => {
        const write = places[place]
        if (write)
          expectHarmlessDocument({ name: place, document: `<Response>${write(escapeAll(noise))}</Response>` })
      }),
      { numRuns: 1500 },
    )
  })
})

const withoutComments = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')

describe('one place builds action data', () => {
  const source = resolve(import.meta.dirname, '../../src')
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && name !== 'dialplan-action.ts')
    .map((name) => ({ name, text: withoutComments(readFileSync(join(source, name), 'utf8')) }))
  const where = (form: RegExp) =>
    files.filter(({ text }) => form.test(text)).map(({ name }) => relative('.', name))

  test('no other file makes an action or casts one', () => {
    expect(where(/\bapplication\s*:|\bas (?:unknown as )?(?:Action|Leg)\b/)).toEqual([])
  })

  test('no other file writes an endpoint', () => {
    expect(where(/['"`](?:\{[^'"`]*\}|\[[^'"`]*\])?(?:sofia|loopback|user|group|error|verto)\//)).toEqual([])
  })

  test('no other file brands a checked part', () => {
    expect(
      where(/\bas (?:unknown as )?(?:DialledNumber|SipUser|Host)\b/).filter((name) => name !== 'sip-uri.ts'),
    ).toEqual([])
  })
})
