import { isIP } from 'node:net'

/** What a switch tells on its own, told apart by `kind`; what is none of ours is no event. Texts in it come from SIP
 * peers as they were sent: data, never to be put into a command. */
export type SwitchEvent =
  | { kind: 'job-done'; jobId: string; output: string }
  | GatewayState
  | { kind: GatewayNews; gateway: string }
  | Registered
  | { kind: 'unregistered'; registrationId: string; username: string; expired: boolean }
  | { kind: 'channel-progress'; channelUuid: string; at: Date; earlyMedia: boolean }
  | ChannelAnswered
  | ChannelEnded
  | { kind: 'recording-started'; channelUuid: string; at: Date; path: string }

/** `gateway-challenged`: an address that is not its registrar's asked for its password. */
export type GatewayNews = 'gateway-added' | 'gateway-deleted' | 'gateway-challenged'

/** A gateway's state by FreeSWITCH's own names (freeswitch.md 2.5); `up`: calls may go out through it. */
export type GatewayState = {
  kind: 'gateway-state'
  gateway: string
  state: string
  up: boolean
  sipCode: number | null
  phrase: string | null
  /** Address that its registrar answered from. */
  networkIp: string | null
}

/** A client has registered or refreshed a contact; `mark` is what trunks/registration-mark.ts put into its user. */
export type Registered = {
  kind: 'registered'
  /** SIP Call-ID of the REGISTER. */
  registrationId: string
  username: string
  contact: string
  userAgent: string | null
  networkIp: string | null
  networkPort: number | null
  expiresSeconds: number
  mark: string | null
}

/** A channel was answered; `inbound`: it came to the switch, which did not place it. */
export type ChannelAnswered = {
  kind: 'channel-answered'
  channelUuid: string
  at: Date
  inbound: boolean
  ringingAt: Date | null
}

/** How a channel ended: the hangup cause and, when SIP had a word in it, its final status. */
export type ChannelEnded = {
  kind: 'channel-ended'
  channelUuid: string
  at: Date
  cause: string
  sipCode: number | null
  ringingAt: Date | null
  answeredAt: Date | null
}

/** The events to subscribe to for everything above, as `event json` takes them. */
export const eventNames = [
  'CHANNEL_PROGRESS',
  'CHANNEL_PROGRESS_MEDIA',
  'CHANNEL_ANSWER',
  'CHANNEL_HANGUP_COMPLETE',
  'RECORD_START',
  'CUSTOM',
  'sofia::gateway_state',
  'sofia::gateway_add',
  'sofia::gateway_delete',
  'sofia::gateway_invalid_digest_req',
  'sofia::register',
  'sofia::unregister',
  'sofia::expire',
] as const

type Fields = Readonly<Record<string, unknown>>

/** Reads the JSON of one event; null for what is no event of ours or lacks what it must have. */
export function readEvent(json: Buffer): SwitchEvent | null {
  const fields = parse(json)
  if (fields === null) return null
  const name = text(fields, 'Event-Name')
  const read = readers.get((name === 'CUSTOM' ? text(fields, 'Event-Subclass') : name) ?? '')
  return read === undefined ? null : read(fields)
}

const readers: ReadonlyMap<string, (fields: Fields) => SwitchEvent | null> = new Map([
  ['BACKGROUND_JOB', jobDone],
  ['CHANNEL_PROGRESS', (fields) => progress(fields, false)],
  ['CHANNEL_PROGRESS_MEDIA', (fields) => progress(fields, true)],
  ['CHANNEL_ANSWER', (fields) => channel(fields, (base) => answered(fields, base))],
  ['CHANNEL_HANGUP_COMPLETE', (fields) => channel(fields, (base) => ended(fields, base))],
  ['RECORD_START', (fields) => channel(fields, (base) => recording(fields, base))],
  ['sofia::gateway_state', gatewayState],
  ['sofia::gateway_add', (fields) => gateway(fields, 'gateway-added')],
  ['sofia::gateway_delete', (fields) => gateway(fields, 'gateway-deleted')],
  ['sofia::gateway_invalid_digest_req', (fields) => gateway(fields, 'gateway-challenged')],
  ['sofia::register', registered],
  ['sofia::unregister', (fields) => unregistered(fields, text(fields, 'from-user'), false)],
  ['sofia::expire', (fields) => unregistered(fields, text(fields, 'user'), true)],
])

function parse(json: Buffer): Fields | null {
  try {
    const value: unknown = JSON.parse(json.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Fields) : null
  } catch {
    return null
  }
}

function jobDone(fields: Fields): SwitchEvent | null {
  const jobId = text(fields, 'Job-UUID')
  const output = fields._body
  return jobId === null ? null : { kind: 'job-done', jobId, output: typeof output === 'string' ? output : '' }
}

const progress = (fields: Fields, earlyMedia: boolean): SwitchEvent | null =>
  channel(fields, (base) => ({ kind: 'channel-progress', ...base, earlyMedia }))

function channel(
  fields: Fields,
  make: (base: { channelUuid: string; at: Date }) => SwitchEvent | null,
): SwitchEvent | null {
  const channelUuid = text(fields, 'Unique-ID')
  const at = microseconds(text(fields, 'Event-Date-Timestamp'))
  return channelUuid === null || at === null ? null : make({ channelUuid, at })
}

function answered(fields: Fields, base: { channelUuid: string; at: Date }): SwitchEvent {
  const inbound = text(fields, 'Call-Direction') === 'inbound'
  return { kind: 'channel-answered', ...base, inbound, ringingAt: ringingTime(fields) }
}

function ended(fields: Fields, base: { channelUuid: string; at: Date }): SwitchEvent {
  return {
    kind: 'channel-ended',
    ...base,
    cause: text(fields, 'Hangup-Cause') ?? text(fields, 'variable_hangup_cause') ?? 'UNKNOWN',
    sipCode: sipCode(fields),
    ringingAt: ringingTime(fields),
    answeredAt: microseconds(text(fields, 'Caller-Channel-Answered-Time')),
  }
}

// Every event of a channel carries its times so far, in case its earlier events are lost or overtaken.
function ringingTime(fields: Fields): Date | null {
  const names = ['Caller-Channel-Progress-Time', 'Caller-Channel-Progress-Media-Time']
  return names.map((name) => microseconds(text(fields, name))).find((time) => time !== null) ?? null
}

// The variables that hold the SIP status of a call that failed, the most telling first (freeswitch.md 7).
function sipCode(fields: Fields): number | null {
  const status =
    text(fields, 'variable_sip_term_status') ?? text(fields, 'variable_sip_invite_failure_status')
  return number(status) ?? number(text(fields, 'variable_proto_specific_hangup_cause')?.replace(/^sip:/, ''))
}

function recording(fields: Fields, base: { channelUuid: string; at: Date }): SwitchEvent | null {
  const path = text(fields, 'Record-File-Path')
  return path === null ? null : { kind: 'recording-started', ...base, path }
}

function gateway(fields: Fields, kind: GatewayNews): SwitchEvent | null {
  const name = text(fields, 'Gateway')
  return name === null ? null : { kind, gateway: name }
}

function gatewayState(fields: Fields): SwitchEvent | null {
  const name = text(fields, 'Gateway')
  const state = text(fields, 'State')
  if (name === null || state === null) return null
  return {
    kind: 'gateway-state',
    gateway: name,
    state,
    up: text(fields, 'Ping-Status') === 'UP',
    sipCode: number(text(fields, 'Status')),
    phrase: text(fields, 'Phrase'),
    networkIp: address(text(fields, 'Register-Network-IP')),
  }
}

function registered(fields: Fields): SwitchEvent | null {
  const registrationId = text(fields, 'call-id')
  const username = text(fields, 'from-user')
  if (registrationId === null || username === null) return null
  return {
    kind: 'registered',
    registrationId,
    username,
    contact: text(fields, 'contact') ?? '',
    userAgent: text(fields, 'user-agent'),
    networkIp: address(text(fields, 'network-ip')),
    networkPort: number(text(fields, 'network-port')),
    expiresSeconds: number(text(fields, 'expires')) ?? 0,
    mark: text(fields, 'mwi-account'),
  }
}

function unregistered(fields: Fields, username: string | null, expired: boolean): SwitchEvent | null {
  const registrationId = text(fields, 'call-id')
  if (registrationId === null || username === null) return null
  return { kind: 'unregistered', registrationId, username, expired }
}

const longestText = 1000

// PostgreSQL stores no NUL, and what a SIP peer wrote is not to fill a table.
function text(fields: Fields, name: string): string | null {
  const value = fields[name]
  return typeof value === 'string' && value !== '' ? value.slice(0, longestText).replaceAll('\0', '') : null
}

const number = (digits: string | null | undefined): number | null =>
  digits && /^\d{1,9}$/.test(digits) ? Number(digits) : null

// FreeSWITCH writes 0 for what did not happen.
function microseconds(digits: string | null): Date | null {
  if (digits === null || !/^\d{1,17}$/.test(digits) || digits === '0') return null
  return new Date(Math.floor(Number(digits) / 1000))
}

// IPv6 comes in brackets from some places.
function address(host: string | null): string | null {
  const bare = host?.replace(/^\[|\]$/g, '') ?? ''
  return isIP(bare) === 0 ? null : bare
}
