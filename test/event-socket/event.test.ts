import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventNames, readEvent } from '../../src/event-socket/event.ts'

const read = (fields: Record<string, unknown>) => readEvent(Buffer.from(JSON.stringify(fields)))
const custom = (name: string, fields: Record<string, string>) =>
  read({ 'Event-Name': 'CUSTOM', 'Event-Subclass': `sofia::${name}`, ...fields })
const uuid = '0b2f4f6e-7c1d-4a53-9a44-0d1c5c4f8a11'
const stamp = { 'Unique-ID': uuid, 'Event-Date-Timestamp': '1795386889243438' }
const at = new Date(1795386889243)

test('gateway events as FreeSWITCH 1.10.12 sends them', () => {
  expect(custom('gateway_add', { Gateway: uuid, 'profile-name': 'nat_gateway' })).toEqual({
    kind: 'gateway-added',
    gateway: uuid,
  })
  expect(custom('gateway_delete', { 'profile-name': 'nat_gateway', Gateway: uuid })).toEqual({
    kind: 'gateway-deleted',
    gateway: uuid,
  })
  expect(
    custom('gateway_state', {
      Gateway: uuid,
      State: 'FAILED',
      'Ping-Status': 'DOWN',
      'Register-Network-IP': '[2001:db8::1]',
      'Register-Network-Port': '25070',
      Phrase: 'Forbidden',
      Status: '403',
    }),
  ).toEqual({
    kind: 'gateway-state',
    gateway: uuid,
    state: 'FAILED',
    up: false,
    sipCode: 403,
    phrase: 'Forbidden',
    networkIp: '2001:db8::1',
  })
  expect(custom('gateway_state', { Gateway: uuid, State: 'REGED', 'Ping-Status': 'UP' })).toMatchObject({
    up: true,
    sipCode: null,
    phrase: null,
    networkIp: null,
  })
})

test('registrations as FreeSWITCH 1.10.12 sends them', () => {
  const registration = {
    'from-user': 'cc1',
    'from-host': 'trunks',
    contact: '"" <sip:cc1@127.0.0.1:25060;transport=udp>',
    'call-id': 'e4bb03cf@host',
    expires: '60',
    'network-ip': '127.0.0.1',
    'network-port': '25060',
    username: 'cc1',
    'user-agent': 'Phone\0 1.0',
    'mwi-account': `7.${uuid}@trunks`,
  }
  expect(custom('register', registration)).toEqual({
    kind: 'registered',
    registrationId: 'e4bb03cf@host',
    username: 'cc1',
    contact: '"" <sip:cc1@127.0.0.1:25060;transport=udp>',
    userAgent: 'Phone 1.0',
    networkIp: '127.0.0.1',
    networkPort: 25060,
    expiresSeconds: 60,
    mark: `7.${uuid}@trunks`,
  })
  expect(custom('unregister', registration)).toEqual({
    kind: 'unregistered',
    registrationId: 'e4bb03cf@host',
    username: 'cc1',
    expired: false,
  })
  expect(custom('expire', { 'call-id': 'e4bb03cf@host', user: 'cc1', host: 'trunks' })).toEqual({
    kind: 'unregistered',
    registrationId: 'e4bb03cf@host',
    username: 'cc1',
    expired: true,
  })
})

test('channel events', () => {
  expect(read({ 'Event-Name': 'CHANNEL_PROGRESS', ...stamp })).toEqual({
    kind: 'channel-progress',
    channelUuid: uuid,
    at,
    earlyMedia: false,
  })
  expect(read({ 'Event-Name': 'CHANNEL_PROGRESS_MEDIA', ...stamp })).toMatchObject({ earlyMedia: true })
  const answered = { kind: 'channel-answered', channelUuid: uuid, at, ringingAt: null }
  for (const direction of ['inbound', 'outbound'])
    expect(read({ 'Event-Name': 'CHANNEL_ANSWER', 'Call-Direction': direction, ...stamp })).toEqual({
      ...answered,
      inbound: direction === 'inbound',
    })
  expect(
    read({
      'Event-Name': 'RECORD_START',
      ...stamp,
      'Record-File-Path': '/x.wav',
    }),
  ).toEqual({ kind: 'recording-started', channelUuid: uuid, at, path: '/x.wav' })
})

test.each([
  [{ variable_sip_term_status: '486', variable_proto_specific_hangup_cause: 'sip:600' }, 486],
  [{ variable_sip_invite_failure_status: '404' }, 404],
  [{ variable_proto_specific_hangup_cause: 'sip:480' }, 480],
  [{ variable_proto_specific_hangup_cause: 'q931:16' }, null],
  [{}, null],
])('the SIP status of a hangup with %j is %s', (variables, sipCode) => {
  const ended = read({
    'Event-Name': 'CHANNEL_HANGUP_COMPLETE',
    ...stamp,
    'Hangup-Cause': 'USER_BUSY',
    'Caller-Channel-Answered-Time': '0',
    ...variables,
  })
  expect(ended).toEqual({
    kind: 'channel-ended',
    channelUuid: uuid,
    at,
    cause: 'USER_BUSY',
    sipCode,
    ringingAt: null,
    answeredAt: null,
  })
})

test('an answered call tells when it rang and when it was answered', () => {
  expect(
    read({
      'Event-Name': 'CHANNEL_HANGUP_COMPLETE',
      ...stamp,
      'Hangup-Cause': 'NORMAL_CLEARING',
      'Caller-Channel-Progress-Time': '0',
      'Caller-Channel-Progress-Media-Time': '1795386870000000',
      'Caller-Channel-Answered-Time': '1795386880000000',
    }),
  ).toMatchObject({ ringingAt: new Date(1795386870000), answeredAt: new Date(1795386880000) })
})

test.each([
  ['not json'],
  ['null'],
  ['[]'],
  ['"text"'],
  [JSON.stringify({ 'Event-Name': 'CUSTOM' })],
  [JSON.stringify({ 'Event-Name': 'CUSTOM', 'Event-Subclass': 'toString' })],
  [JSON.stringify({ 'Event-Name': '__proto__' })],
  [JSON.stringify({ 'Event-Name': 'CHANNEL_ANSWER' })],
  [JSON.stringify({ 'Event-Name': 'CUSTOM', 'Event-Subclass': 'sofia::gateway_add' })],
  [JSON.stringify({ 'Event-Name': 'CUSTOM', 'Event-Subclass': 'sofia::register', 'call-id': 5 })],
])('%s is no event', (json) => expect(readEvent(Buffer.from(json))).toBeNull())

test('no event throws, whatever is in it', () => {
  const names = [
    'Event-Name',
    'Event-Subclass',
    'Unique-ID',
    'Event-Date-Timestamp',
    'Gateway',
    'State',
    'call-id',
  ]
  const name = fc.oneof(fc.constantFrom(...names, 'from-user', 'expires', 'network-ip'), fc.string())
  const value = fc.oneof(fc.constantFrom('CUSTOM', ...eventNames), fc.string(), fc.integer(), fc.jsonValue())
  fc.assert(
    fc.property(fc.dictionary(name, value), (fields) => {
      expect(() => read(fields)).not.toThrow()
    }),
  )
})
