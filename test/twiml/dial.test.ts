import { describe, expect, test } from 'vitest'
import { type Dial, dialCallStatus, tellingCause } from '../../src/twiml/dial.ts'
import { ringTones } from '../../src/twiml/ring-tone.ts'
import { after as followOf } from '../../src/twiml/verb.ts'
import { actionsOf, callId, childId, problemOf, twiml, verbsOf, warningsOf } from './compile.ts'

function dialled(attributes: Record<string, string>, inner = '+14155551234'): string {
  const text = Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${value}"`)
    .join('')
  return `<Response><Dial${text}>${inner}</Dial></Response>`
}
function dialOf(document: string): Dial {
  const [verb] = verbsOf(document)
  if (verb?.verb !== 'Dial') throw new Error('No Dial.')
  return verb
}
const leg = (n: number, more = '', limit = 14400) =>
  `[outbound_redirect_fatal=true,sip_copy_custom_headers=false,${more}execute_on_answer_limit=sched_hangup +${limit} ALLOTTED_TIMEOUT]sofia/gateway/trunk/${n}`
const variables = (changed: Record<string, string | null> = {}) =>
  Object.entries({
    hangup_after_bridge: 'false',
    continue_on_fail: 'true',
    ignore_early_media: 'true',
    sip_copy_custom_headers: 'false',
    preserve_originated_vars: 'false',
    effective_caller_id_name: '_undef_',
    call_timeout: '30',
    ringback: '%(2000,4000,440,480)',
    bridge_terminate_key: null,
    effective_caller_id_number: null,
    execute_on_pre_bridge: null,
    ...changed,
  }).map(([name, value]) => (value === null ? `unset ${name}` : `set ${name}=${value}`))
const whole = (changed: Record<string, string | null>, ...bridge: string[]) => [
  'set playback_terminators=none',
  'answer',
  'set twiml_at=3.0',
  ...variables(changed),
  ...bridge,
  `transfer ${callId} XML twiml`,
]

describe('how it is written', () => {
  test('answers, rings, and comes back', () => {
    expect(actionsOf(twiml((r) => r.dial('+14155551234')))).toEqual(whole({}, `bridge ${leg(0)}`))
  })

  test('numbers, SIP URIs and text ring at once', () => {
    const document = twiml((r) => {
      const dial = r.dial({ timeout: 20, timeLimit: 60, callerId: '+1 (415) 555-0000', hangupOnStar: true })
      dial.number('+14155551234')
      dial.sip('sip:alice@example.com:5070;transport=tcp?X-Account=acme%201&X-Tag=a.b')
    })
    const headers = 'sip_h_X-Account=acme 1,sip_h_X-Tag=a.b'
    expect(actionsOf(document)).toEqual(
      whole(
        { call_timeout: '20', bridge_terminate_key: '*', effective_caller_id_number: '+14155550000' },
        `bridge ${leg(0, '', 60)},${leg(1, '', 60).replace(']', `,${headers}]`)}`,
      ),
    )
  })

  test('in turn, each with its own ring time', () => {
    const inner = '<Number>1</Number><Number>2</Number><Number>3</Number>'
    const turn = 'leg_timeout=10,'
    expect(actionsOf(dialled({ sequential: 'true', timeout: '10' }, inner))).toEqual(
      whole({ call_timeout: '30' }, `bridge ${leg(0, turn)}|${leg(1, turn)}|${leg(2, turn)}`),
    )
  })

  test('answerOnBridge leaves the caller ringing', () => {
    const document = dialled({ answerOnBridge: 'true' })
    const rest = [...variables({ ringback: null }), `bridge ${leg(0)}`, `transfer ${callId} XML twiml`]
    expect(actionsOf(document)).toEqual(['set playback_terminators=none', 'set twiml_at=3.0', ...rest])
    expect(actionsOf(document, 0, { answered: true })).toEqual(whole({}, `bridge ${leg(0)}`).toSpliced(1, 1))
  })

  test.each(Object.entries(ringTones))('ringTone %s', (ringTone, ringback) => {
    expect(actionsOf(dialled({ ringTone }))).toEqual(whole({ ringback }, `bridge ${leg(0)}`))
  })

  test('digits for the called side, and TwiML of its own', () => {
    const document = twiml((r) => {
      const dial = r.dial()
      dial.number({ sendDigits: 'ww12#', url: '/whisper', method: 'GET' }, '1234')
    })
    const more =
      ',execute_on_answer_digits=send_dtmf ww12#,group_confirm_key=exec' +
      `,group_confirm_file=execute_extension ${childId} XML twiml]`
    expect(actionsOf(document)).toEqual(whole({}, `bridge ${leg(0).replace(']', more)}`))
    expect(dialOf(document).targets).toMatchObject([
      { whisper: { url: 'https://app.example.com/whisper', method: 'GET' } },
    ])
  })

  test('when nobody can be rung it has failed, without ringing', () => {
    expect(actionsOf(dialled({}), 0, { dial: { legs: [], callerId: null } })).toEqual([
      'set playback_terminators=none',
      'answer',
      'set twiml_at=3.0',
      'set originate_disposition=NO_ROUTE_DESTINATION',
      `transfer ${callId} XML twiml`,
    ])
  })

  const url = 'http_cache://http://switch:3001/freeswitch/recordings/aBc123.wav'
  const atOnce = ['unset execute_on_pre_bridge', `record_session ${url}`]
  const onceJoined = [`set execute_on_pre_bridge=record_session ${url}`]
  test.each([
    ['record-from-answer', {}, ['false', 'false', 'false'], onceJoined],
    ['record-from-ringing', {}, ['false', 'false', 'false'], atOnce],
    ['record-from-answer-dual', {}, ['true', 'false', 'false'], onceJoined],
    ['record-from-ringing-dual', {}, ['true', 'false', 'false'], atOnce],
    ['true', {}, ['false', 'false', 'false'], onceJoined],
    ['record-from-answer', { recordingTrack: 'inbound' }, ['false', 'true', 'false'], onceJoined],
    ['record-from-answer', { recordingTrack: 'outbound' }, ['false', 'false', 'true'], onceJoined],
  ])('record %s %j', (record, more, [stereo, readOnly, writeOnly], begin) => {
    expect(actionsOf(dialled({ record, ...more }))).toEqual([
      ...whole({}).slice(0, -2),
      `set RECORD_STEREO=${stereo}`,
      `set RECORD_READ_ONLY=${readOnly}`,
      `set RECORD_WRITE_ONLY=${writeOnly}`,
      ...begin,
      `bridge ${leg(0)}`,
      `stop_record_session ${url}`,
      `transfer ${callId} XML twiml`,
    ])
  })

  test.each(['do-not-record', 'false', 'maybe', ''])('record %s', (record) => {
    expect(dialOf(dialled({ record })).recording).toBeNull()
  })
})

describe('how it is read', () => {
  test.each([
    [{ timeout: '0' }, { timeoutSeconds: 30 }],
    [{ timeout: 'x' }, { timeoutSeconds: 30 }],
    [{ timeout: '9999' }, { timeoutSeconds: 600 }],
    [{ timeLimit: '0' }, { timeLimitSeconds: 14400 }],
    [{ timeLimit: '999999' }, { timeLimitSeconds: 86_400 }],
    [{ hangupOnStar: 'yes' }, { hangupOnStar: false }],
    [{ hangupOnStar: 'TRUE' }, { hangupOnStar: true }],
    [{ callerId: '+1 415 555-0000' }, { callerId: '+14155550000' }],
    [{ callerId: '6703' }, { callerId: '6703' }],
    [{ callerId: 'anonymous' }, { callerId: 'anonymous' }],
    [{ action: '/done', method: 'get' }, { action: { url: 'https://app.example.com/done', method: 'GET' } }],
    [{ action: '/done', method: 'PUT' }, { action: { url: 'https://app.example.com/done', method: 'POST' } }],
    [{ record: 'record-from-answer' }, { recording: { trim: false, callback: null, events: ['completed'] } }],
    [
      {
        record: 'record-from-answer',
        trim: 'trim-silence',
        recordingStatusCallback: '/rec',
        recordingStatusCallbackEvent: 'completed absent',
      },
      {
        recording: {
          trim: true,
          callback: { url: 'https://app.example.com/rec', method: 'POST' },
          events: ['completed', 'absent'],
        },
      },
    ],
  ])('%j', (attributes, read) => {
    expect(dialOf(dialled(attributes))).toMatchObject(read)
  })

  test.each([
    ['+1 (415) 555-1234', { kind: 'number', number: '+14155551234' }],
    ['855.23.238.265', { kind: 'number', number: '85523238265' }],
    ['*98#', { kind: 'number', number: '*98#' }],
    ['<Number>1294</Number>', { kind: 'number', number: '1294' }],
    ['<Sip>sip:bob@example.com</Sip>', { kind: 'sip', uri: { user: 'bob', host: 'example.com' } }],
    [
      '<Sip>sip://1294@pbx.example.com</Sip>',
      { kind: 'sip', uri: { user: '1294', host: 'pbx.example.com' } },
    ],
    [
      '<Sip>sips:bob@example.com</Sip>',
      { kind: 'sip', uri: { user: 'bob', host: 'example.com', transport: 'tls' } },
    ],
    [
      '<Sip>SIPS:bob@example.com;transport=tcp</Sip>',
      { kind: 'sip', uri: { user: 'bob', host: 'example.com', transport: 'tls' } },
    ],
    ['<Sip> SIP:example.com </Sip>', { kind: 'sip', uri: { user: null, host: 'example.com' } }],
  ])('%s', (inner, target) => {
    expect(dialOf(dialled({}, inner)).targets).toMatchObject([target])
  })

  test.each(['user=phone', 'lr', 'user=ip;lr', 'edge=ashburn;region=us1'])(
    'the URI parameter %s changes nothing',
    (harmless) => {
      const uri = { user: 'bob', host: 'example.com', transport: 'tcp', headers: [] }
      const inner = `<Sip>sip:bob@example.com;${harmless};transport=tcp</Sip>`
      expect(dialOf(dialled({}, inner)).targets).toMatchObject([{ kind: 'sip', uri }])
    },
  )

  test('events are named in any case', () => {
    const inner = '<Number statusCallback="/s" statusCallbackEvent="Initiated ANSWERED">1</Number>'
    const statusCallback = { events: ['initiated', 'answered'] }
    expect(dialOf(dialled({}, inner)).targets).toMatchObject([{ statusCallback }])
  })

  test('status callbacks of each noun', () => {
    const document = twiml((r) => {
      const dial = r.dial()
      dial.number(
        { statusCallback: '/s', statusCallbackEvent: ['initiated', 'answered'], statusCallbackMethod: 'GET' },
        '1',
      )
      dial.sip({ statusCallback: 'https://b.example/s' }, 'sip:a@b.example')
    })
    expect(dialOf(document).targets).toMatchObject([
      {
        statusCallback: {
          url: 'https://app.example.com/s',
          method: 'GET',
          events: ['initiated', 'answered'],
        },
      },
      { statusCallback: { url: 'https://b.example/s', method: 'POST', events: ['completed'] } },
    ])
  })

  test.each([
    [dialled({}, ''), '<Dial> must contain a number, <Number> or <Sip>.', 'Dial'],
    [dialled({}, 'nobody'), '<Dial> must contain a phone number, not "nobody".', 'Dial'],
    [
      dialled({}, '<Number>1}loopback/evil</Number>'),
      '<Number> must contain a phone number, not "1}loopback/evil".',
      'Number',
    ],
    [dialled({}, '<Number/>'), '<Number> must contain a phone number, not "".', 'Number'],
    [dialled({}, '<Sip>alice</Sip>'), '<Sip> must contain a SIP URI (sip:user@host), not "alice".', 'Sip'],
    [
      dialled({}, '<Sip>sip:a@b?Subject=x</Sip>'),
      '<Sip> must contain a SIP URI (sip:user@host), not "sip:a@b?Subject=x".',
      'Sip',
    ],
    [
      dialled({}, '<Sip>sip:a@b;maddr=c</Sip>'),
      '<Sip> must contain a SIP URI (sip:user@host), not "sip:a@b;maddr=c".',
      'Sip',
    ],
    [
      dialled({}, '<Conference>room</Conference>'),
      '<Conference> is not allowed within <Dial>.',
      'Conference',
    ],
    [dialled({}, '<Client>x</Client>'), '<Client> is not allowed within <Dial>.', 'Client'],
    [dialled({}, '<Queue>x</Queue>'), '<Queue> is not allowed within <Dial>.', 'Queue'],
    [dialled({}, '<Number>1</Number>'.repeat(11)), '<Dial> can ring 10 at most, not 11.', 'Dial'],
    [
      dialled({ callerId: 'client:bob' }),
      'callerId of <Dial> must be a number or a SIP user, not "client:bob".',
      'Dial',
    ],
    [dialled({ callReason: 'Sale' }), 'The attribute callReason of <Dial> is not supported.', 'Dial'],
    [dialled({ referUrl: '/r' }), 'The attribute referUrl of <Dial> is not supported.', 'Dial'],
    [
      dialled({}, '<Number byoc="BY1">1</Number>'),
      'The attribute byoc of <Number> is not supported.',
      'Number',
    ],
    [
      dialled({}, '<Number machineDetection="Enable">1</Number>'),
      'The attribute machineDetection of <Number> is not supported.',
      'Number',
    ],
    [
      dialled({}, '<Number sendDigits="1,2">1</Number>'),
      'sendDigits of <Number> must be up to 32 of 0 to 9, *, # and w.',
      'Number',
    ],
    [
      dialled({}, '<Sip username="a" password="b">sip:a@b</Sip>'),
      'The attribute username of <Sip> is not supported.',
      'Sip',
    ],
    [
      dialled({}, '<Number url="javascript:x">1</Number>'),
      'The url of <Number> must be an http or https URL.',
      'Number',
    ],
  ])('%s', (document, message, verb) => {
    expect(problemOf(document)).toEqual({ message, verb, line: 1 })
  })

  test('what is not used is told', () => {
    expect(warningsOf(dialled({ ringTone: 'xx', record: 'x', foo: '1' }))).toEqual([
      '1: <Dial> has no attribute "foo"; it is ignored.',
      expect.stringMatching(/^1: ringTone must be one of automatic, at, au, .*; automatic is used\.$/),
      expect.stringMatching(/^1: record must be one of do-not-record, .*; do-not-record is used\.$/),
    ])
  })
})

describe('what comes after', () => {
  test('without an action the next verb, however it ended', () => {
    for (const disposition of ['SUCCESS', 'USER_BUSY', ''])
      expect(followOf(dialOf(dialled({})), { dial: { disposition } })).toEqual({ next: 'continue' })
  })

  test('with one, what became of it', () => {
    const verb = dialOf(dialled({ action: '/done' }))
    const request = { next: 'request', url: 'https://app.example.com/done', method: 'POST' }
    expect(followOf(verb, { dial: { disposition: 'SUCCESS', callSid: 'CA1', seconds: 12 } })).toEqual({
      ...request,
      params: { DialCallStatus: 'completed', DialCallSid: 'CA1', DialCallDuration: '12' },
    })
    expect(
      followOf(verb, {
        dial: {
          disposition: 'SUCCESS',
          seconds: 0,
          recording: { sid: 'RE1', url: 'https://r/RE1', seconds: 4 },
        },
      }),
    ).toEqual({
      ...request,
      params: {
        ...{ DialCallStatus: 'completed', DialCallDuration: '0' },
        ...{ RecordingUrl: 'https://r/RE1', RecordingSid: 'RE1', RecordingDuration: '4' },
      },
    })
    expect(followOf(verb, { dial: { disposition: 'USER_BUSY' } })).toEqual({
      ...request,
      params: { DialCallStatus: 'busy' },
    })
    expect(followOf(verb, {})).toEqual({ ...request, params: { DialCallStatus: 'failed' } })
  })

  test.each([
    ['SUCCESS', 'completed'],
    ['USER_BUSY', 'busy'],
    ['NO_ANSWER', 'no-answer'],
    ['ALLOTTED_TIMEOUT', 'no-answer'],
    ['NO_USER_RESPONSE', 'no-answer'],
    ['NORMAL_CLEARING', 'no-answer'],
    ['ORIGINATOR_CANCEL', 'canceled'],
    ['CALL_REJECTED', 'failed'],
    ['UNALLOCATED_NUMBER', 'failed'],
    ['REQUESTED_CHAN_UNAVAIL', 'failed'],
    ['NO_ROUTE_DESTINATION', 'failed'],
    ['failure', 'failed'],
    ['', 'failed'],
    ['toString', 'failed'],
  ])('%s is %s', (disposition, status) => {
    expect(dialCallStatus(disposition)).toBe(status)
  })

  test.each([
    [['UNALLOCATED_NUMBER', 'USER_BUSY'], 'USER_BUSY'],
    [['USER_BUSY', 'UNALLOCATED_NUMBER'], 'USER_BUSY'],
    [['USER_BUSY', 'CALL_REJECTED', 'NO_ANSWER'], 'NO_ANSWER'],
    [['SUCCESS', 'NONE', 'USER_BUSY'], 'SUCCESS'],
    [['ORIGINATOR_CANCEL', 'NO_ANSWER'], 'ORIGINATOR_CANCEL'],
    [['GATEWAY_DOWN', 'NONE'], 'GATEWAY_DOWN'],
    [[], ''],
  ])('of %j %s tells most', (causes, telling) => {
    expect(tellingCause(causes)).toBe(telling)
  })
})
