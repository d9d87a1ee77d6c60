import { describe, expect, test } from 'vitest'
import { after as followOf, type Outcome } from '../../src/twiml/verb.ts'
import { actionsOf, base, callId, problemOf, segmentOf, twiml, verbsOf, warningsOf } from './compile.ts'

const audio = (name: string) => `http://switch:3001/freeswitch/audio/${name}.wav`
const press = audio('say-woman-en-US-press')

function gathered(attributes: Record<string, string>, inner = ''): string {
  const text = Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${value}"`)
    .join('')
  return `<Response><Gather${text}>${inner}</Gather></Response>`
}
const twenty = Array.from({ length: 20 }, (_, n) => n)
const collecting = (document: string) =>
  actionsOf(document).find((action) => action.startsWith('play_and_get_digits'))

test('marks where it stands, forgets what was pressed before, collects, comes back', () => {
  const document = twiml((r) => {
    r.say('Welcome')
    r.gather({ numDigits: 1, action: '/menu' }).say('Press')
    r.say('Nothing')
  })
  expect(actionsOf(document)).toEqual([
    'set playback_terminators=none',
    'answer',
    `playback ${audio('say-woman-en-US-welcome')}`,
    'set twiml_at=3.1',
    'unset digits',
    'unset digits_invalid',
    'unset read_result',
    'unset read_terminator_used',
    'flush_dtmf',
    `play_and_get_digits 0 1 1 5000 # file_string://${press}!silence_stream://10 silence_stream://10 digits ^[0-9*#]*$ 5000`,
    `transfer ${callId} XML twiml`,
  ])
  expect(actionsOf(document, 2, { answered: true })).toEqual([
    'set playback_terminators=none',
    `playback ${audio('say-woman-en-US-nothing')}`,
    'hangup NORMAL_CLEARING',
  ])
})

test('a whisper comes back as a subroutine, and says how deep', () => {
  const actions = actionsOf(gathered({}), 0, { role: { kind: 'whisper', depth: 4 }, answered: true })
  expect(actions).toContain('set twiml_at=3.0@5')
  expect(actions.at(-1)).toBe(`execute_extension ${callId} XML twiml`)
})

describe('attributes', () => {
  const collected = (most: number, timeout: number, finish: string) =>
    `play_and_get_digits 0 ${most} 1 ${timeout} ${finish} silence silence_stream://10 digits ^[0-9*#]*$ ${timeout}`

  test.each([
    [{}, collected(120, 5000, '#')],
    [{ numDigits: '4' }, collected(4, 5000, '#')],
    [{ numDigits: '0' }, collected(120, 5000, '#')],
    [{ numDigits: '-1' }, collected(120, 5000, '#')],
    [{ numDigits: 'x' }, collected(120, 5000, '#')],
    [{ numDigits: '1000' }, collected(120, 5000, '#')],
    [{ timeout: '2' }, collected(120, 2000, '#')],
    [{ timeout: '0' }, collected(120, 5000, '#')],
    [{ timeout: 'auto' }, collected(120, 5000, '#')],
    [{ timeout: '9999' }, collected(120, 600_000, '#')],
    [{ finishOnKey: '*' }, collected(120, 5000, '*')],
    [{ finishOnKey: '5' }, collected(120, 5000, '5')],
    [{ finishOnKey: '' }, collected(120, 5000, 'none')],
    [{ finishOnKey: '12' }, collected(120, 5000, '#')],
    [{ finishOnKey: 'A' }, collected(120, 5000, '#')],
    [{ input: 'dtmf' }, collected(120, 5000, '#')],
    [
      { input: 'dtmf speech', hints: 'a,b', speechTimeout: 'auto', language: 'en-US' },
      collected(120, 5000, '#'),
    ],
  ])('%j', (attributes, action) => {
    expect(collecting(gathered(attributes))).toBe(action)
  })

  test('Twilio’s values written by its own package', () => {
    const document = twiml((r) =>
      r.gather({
        input: ['dtmf'],
        timeout: 3,
        numDigits: 2,
        finishOnKey: '*',
        actionOnEmptyResult: true,
        method: 'GET',
      }),
    )
    expect(verbsOf(document)).toMatchObject([
      {
        timeoutSeconds: 3,
        numDigits: 2,
        finishOnKey: '*',
        actionOnEmptyResult: true,
        action: { url: base, method: 'GET' },
      },
    ])
  })

  test.each([
    ['nothing but speech', gathered({ input: 'speech' }), '<Gather> can take dtmf only, not speech.'],
    ['a verb that may not be inside', gathered({}, '<Record/>'), '<Record> is not allowed within <Gather>.'],
    ['a Gather in a Gather', gathered({}, '<Gather/>'), '<Gather> is not allowed within <Gather>.'],
    [
      'an action that is no web page',
      gathered({ action: 'ftp://x/' }),
      'The action of <Gather> must be an http or https URL.',
    ],
  ])('%s is refused', (_, document, message) => {
    expect(problemOf(document)).toEqual({ message, line: 1, verb: expect.any(String) })
  })

  test('without an action and a URL of the document nobody is told: the next verb', () => {
    const [verb] = verbsOf(gathered({}), null)
    expect(verb && followOf(verb, { digits: '1' })).toEqual({ next: 'continue' })
    expect(warningsOf(gathered({}), null)).toEqual([
      '1: <Gather> has no action, and its document came without a URL: nobody is told.',
    ])
  })

  test('a relative action needs a URL of the document', () => {
    expect(problemOf(gathered({ action: '/menu' }), null).message).toBe(
      'The action of <Gather> must be absolute: the document itself came without a URL.',
    )
  })

  test('what is taken in part is told', () => {
    expect(warningsOf(gathered({ input: 'speech dtmf', finishOnKey: '##' }))).toEqual([
      '1: <Gather> takes dtmf only; speech is ignored.',
      '1: finishOnKey must be one of 0 to 9, *, # or empty; # is used.',
    ])
  })
})

describe('prompts', () => {
  test('Say, Play and Pause in order, loops included, as one stream', () => {
    const inner = '<Say loop="2">Press</Say><Pause length="2"/><Play>/x.wav</Play><Pause length="0"/>'
    const files = [press, press, 'silence_stream://2000', audio('play-_x_wav'), 'silence_stream://10'].join(
      '!',
    )
    expect(collecting(gathered({ numDigits: '1' }, inner))).toBe(
      `play_and_get_digits 0 1 1 5000 # file_string://${files} silence_stream://10 digits ^[0-9*#]*$ 5000`,
    )
    expect(segmentOf(gathered({}, inner)).prompts).toHaveLength(2)
  })

  test('no more is made ready than is heard, and each once', () => {
    const inner =
      '<Play loop="150">/first.wav</Play><Pause/>' +
      twenty.map((n) => `<Play loop="5">/${n}.wav</Play>`).join('')
    const { prompts } = segmentOf(gathered({}, inner))
    expect(prompts.map((prompt) => prompt.kind === 'play' && new URL(prompt.url).pathname)).toEqual([
      '/first.wav',
      ...twenty.slice(0, 10).map((n) => `/${n}.wav`),
    ])
  })

  test('loops without end do end', () => {
    const action = collecting(gathered({}, '<Say loop="0">Press</Say><Say loop="0">Press</Say>')) ?? ''
    expect(action.split('!')).toHaveLength(201)
    expect(action.length).toBeLessThan(20_000)
  })

  test('a prompt without sound is silence', () => {
    expect(collecting(gathered({}, '<Say/>'))).toMatch(/ # silence silence_stream:\/\/10 digits /)
  })
})

describe('what comes after', () => {
  const verb = (attributes: Record<string, string>) => verbsOf(gathered(attributes))[0]
  const next = (attributes: Record<string, string>, outcome: Outcome = {}) => {
    const gather = verb(attributes)
    if (!gather) throw new Error('No verb.')
    return followOf(gather, outcome)
  }

  test('digits go to the action, and the key that ended them', () => {
    expect(next({ action: '/menu', method: 'GET' }, { digits: '12*', finishedOnKey: '#' })).toEqual({
      next: 'request',
      url: 'https://app.example.com/menu',
      method: 'GET',
      params: { Digits: '12*', FinishedOnKey: '#' },
    })
    const params = { Digits: '1', FinishedOnKey: '' }
    expect(next({}, { digits: '1' })).toEqual({ next: 'request', url: base, method: 'POST', params })
  })

  test('no digits lead to the next verb, or to the action with empty Digits', () => {
    expect(next({ action: '/menu' }, { digits: '', finishedOnKey: '#' })).toEqual({ next: 'continue' })
    expect(next({ action: '/menu' })).toEqual({ next: 'continue' })
    expect(next({ action: '/menu', actionOnEmptyResult: 'true' }, { digits: '' })).toEqual({
      next: 'request',
      url: 'https://app.example.com/menu',
      method: 'POST',
      params: { Digits: '', FinishedOnKey: '' },
    })
  })
})
