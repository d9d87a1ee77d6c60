import { describe, expect, test } from 'vitest'
import { after as followOf, type Outcome } from '../../src/twiml/verb.ts'
import { actionsOf, base, callId, problemOf, twiml, verbsOf, warningsOf } from './compile.ts'

const audio = (name: string) => `http://switch:3001/freeswitch/audio/${name}.wav`
const back = `transfer ${callId} XML twiml`
function nextOf(document: string, outcome: Outcome = {}) {
  const [verb] = verbsOf(document)
  if (!verb) throw new Error('No verb.')
  return followOf(verb, outcome)
}

describe('Record', () => {
  const file = 'http_cache://http://switch:3001/freeswitch/recordings/aBc123.wav'
  const recording = (...actions: string[]) => [
    'set playback_terminators=none',
    'answer',
    'set twiml_at=3.0',
    ...actions,
    back,
  ]
  const beep = 'playback tone_stream://%(500,0,1000)'

  test.each([
    ['', [beep, 'set playback_terminators=1234567890*#', `record ${file} 3600 200 5`]],
    ['playBeep="false"', ['set playback_terminators=1234567890*#', `record ${file} 3600 200 5`]],
    ['finishOnKey="#"', [beep, 'set playback_terminators=#', `record ${file} 3600 200 5`]],
    ['finishOnKey=""', [beep, 'set playback_terminators=none', `record ${file} 3600 200 5`]],
    ['finishOnKey="any"', [beep, 'set playback_terminators=1234567890*#', `record ${file} 3600 200 5`]],
    [
      'maxLength="30" timeout="2"',
      [beep, 'set playback_terminators=1234567890*#', `record ${file} 30 200 2`],
    ],
    [
      'maxLength="0" timeout="-1"',
      [beep, 'set playback_terminators=1234567890*#', `record ${file} 3600 200 5`],
    ],
    ['timeout="0"', [beep, 'set playback_terminators=1234567890*#', `record ${file} 3600`]],
    ['maxLength="99999"', [beep, 'set playback_terminators=1234567890*#', `record ${file} 14400 200 5`]],
    ['transcribe="false"', [beep, 'set playback_terminators=1234567890*#', `record ${file} 3600 200 5`]],
  ])('%s', (attributes, actions) => {
    expect(actionsOf(`<Response><Record ${attributes}/></Response>`)).toEqual(recording(...actions))
  })

  test('Twilio’s attributes written by its own package', () => {
    const document = twiml((r) =>
      r.record({
        action: '/done',
        method: 'GET',
        trim: 'do-not-trim',
        recordingStatusCallback: '/status',
        recordingStatusCallbackEvent: ['in-progress', 'completed'],
        recordingStatusCallbackMethod: 'GET',
      }),
    )
    expect(verbsOf(document)).toMatchObject([
      {
        action: { url: 'https://app.example.com/done', method: 'GET' },
        recording: {
          trim: false,
          callback: { url: 'https://app.example.com/status', method: 'GET' },
          events: ['in-progress', 'completed'],
        },
      },
    ])
    expect(verbsOf(twiml((r) => r.record()))).toMatchObject([
      {
        action: { url: base, method: 'POST' },
        recording: { trim: true, callback: null, events: ['completed'] },
      },
    ])
  })

  test.each([
    ['<Record transcribe="true"/>', 'The attribute transcribe of <Record> is not supported.'],
    ['<Record transcribeCallback="/x"/>', 'The attribute transcribeCallback of <Record> is not supported.'],
    ['<Record><Say>x</Say></Record>', '<Say> is not allowed within <Record>.'],
    [
      '<Record recordingStatusCallback="mailto:a@b"/>',
      'The recordingStatusCallback of <Record> must be an http or https URL.',
    ],
  ])('%s is refused', (verb, message) => {
    expect(problemOf(`<Response>${verb}</Response>`).message).toBe(message)
  })

  test('what was taken goes to the action; silence alone leads to the next verb', () => {
    const document = '<Response><Record action="/done"/></Response>'
    const taken = { sid: 'RE1', url: 'https://api/RE1', seconds: 7, endedBy: '#' }
    const request = { next: 'request', url: 'https://app.example.com/done', method: 'POST' }
    const params = { RecordingUrl: 'https://api/RE1', RecordingSid: 'RE1', RecordingDuration: '7' }
    expect(nextOf(document, { record: taken })).toEqual({ ...request, params: { ...params, Digits: '#' } })
    expect(nextOf(document, { record: { ...taken, endedBy: 'hangup' } })).toEqual({
      ...request,
      params: { ...params, Digits: 'hangup' },
    })
    expect(nextOf(document, { record: { ...taken, endedBy: '' } })).toEqual({ ...request, params })
    expect(nextOf(document, { record: { ...taken, seconds: 0 } })).toEqual({ next: 'continue' })
    expect(nextOf(document)).toEqual({ next: 'continue' })
  })
})

describe('Redirect', () => {
  test('leaves at once, without answering: what follows may be a Reject', () => {
    const document = twiml((r) => {
      r.redirect({ method: 'GET' }, '../next?a=1&b=2')
      r.say('never')
    })
    expect(actionsOf(document)).toEqual(['set playback_terminators=none', 'set twiml_at=3.0', back])
    expect(nextOf(document)).toEqual({
      next: 'request',
      url: 'https://app.example.com/next?a=1&b=2',
      method: 'GET',
      params: {},
    })
  })

  test.each([
    ['<Redirect/>', '<Redirect> must contain a URL.'],
    ['<Redirect>file:///etc/passwd</Redirect>', 'The URL in <Redirect> must be an http or https URL.'],
    ['<Redirect>http://[</Redirect>', 'The URL in <Redirect> is no URL.'],
  ])('%s is refused', (verb, message) => {
    expect(problemOf(`<Response>${verb}</Response>`).message).toBe(message)
  })
})

describe('Reject', () => {
  test.each([
    ['', 'respond 603 Decline'],
    ['reason="rejected"', 'respond 603 Decline'],
    ['reason="busy"', 'respond 486 Busy Here'],
    ['reason="tired"', 'respond 603 Decline'],
  ])('%s', (attributes, action) => {
    const document = `<Response><Reject ${attributes}/><Say>never</Say></Response>`
    expect(actionsOf(document)).toEqual(['set playback_terminators=none', action])
    expect(nextOf(document)).toEqual({ next: 'end' })
  })

  test('after a Pause it still refuses, after anything heard it hangs up', () => {
    expect(actionsOf('<Response><Pause length="2"/><Reject/></Response>')).toEqual([
      'set playback_terminators=none',
      'sleep 2000',
      'respond 603 Decline',
    ])
    expect(actionsOf('<Response><Say>x</Say><Reject/></Response>').at(-1)).toBe('hangup NORMAL_CLEARING')
  })

  test('a reason that is none is told', () => {
    expect(warningsOf('<Response><Reject reason="tired"/></Response>')).toEqual([
      '1: reason must be one of rejected, busy; rejected is used.',
    ])
  })
})

describe('Hangup and the end', () => {
  test.each([
    ['<Response><Hangup/></Response>'],
    ['<Response/>'],
    ['<Response></Response>'],
    ['<Response><!-- nothing --></Response>'],
  ])('%s answers and hangs up, as Twilio does', (document) => {
    expect(actionsOf(document)).toEqual(['set playback_terminators=none', 'answer', 'hangup NORMAL_CLEARING'])
  })

  test('what stands behind a Hangup is checked but not run', () => {
    expect(actionsOf('<Response><Hangup/><Say>x</Say></Response>')).toHaveLength(3)
    expect(problemOf('<Response><Hangup/><Nonsense/></Response>').message).toBe(
      '<Nonsense> is not supported.',
    )
  })

  test('a whisper that ends lets the leg be joined; its Hangup ends the leg', () => {
    const whisper = { role: { kind: 'whisper', depth: 0 }, answered: true } as const
    const say = `playback ${audio('say-woman-en-US-x')}`
    expect(actionsOf('<Response><Say>x</Say></Response>', 0, whisper)).toEqual([
      'set playback_terminators=none',
      say,
    ])
    expect(actionsOf('<Response><Hangup/></Response>', 0, whisper).at(-1)).toBe('hangup NORMAL_CLEARING')
  })
})

test('a long document is handed over in parts of 50 verbs', () => {
  const document = `<Response>${'<Pause/>'.repeat(120)}<Say>x</Say></Response>`
  expect(actionsOf(document, 0, { answered: true }).slice(50)).toEqual([
    'playback silence_stream://1000',
    'set twiml_at=3.49',
    back,
  ])
  const verbs = verbsOf(document)
  const last = verbs[49]
  expect(last && followOf(last, {})).toEqual({ next: 'continue' })
  expect(actionsOf(document, 50, { answered: true }).at(-2)).toBe('set twiml_at=3.99')
  expect(actionsOf(document, 100, { answered: true })).toHaveLength(23)
  expect(actionsOf(`<Response>${'<Pause/>'.repeat(50)}</Response>`, 0, { answered: true }).at(-1)).toBe(
    'hangup NORMAL_CLEARING',
  )
})
