import { placeIn, type Returning } from '../calls/returning.ts'
import { isUuid } from '../sid.ts'
import type { Form } from './form.ts'

/** What mod_xml_curl asks (freeswitch.md 1.2, 2.2, 3.1, 4.1). Every text in it is a claim, checked for form only. */
export type XmlFetch = SofiaFetch | DigestFetch | DialplanFetch | { kind: 'other' }

/** `sofia.conf`: whole, or one gateway's when FreeSWITCH runs `startgw`. */
export type SofiaFetch = {
  kind: 'sofia'
  switchName: string
  switchAddresses: string[]
  profile: string | null
  gateway: string | null
}

/** The digest user of a REGISTER or INVITE with credentials. */
export type DigestFetch = { kind: 'digest'; username: string; realm: string; domain: string }

/** A call that looks for its next actions. */
export type DialplanFetch = {
  kind: 'dialplan'
  context: 'inbound' | 'twiml'
  switchName: string
  channelUuid: string
  destination: string
  toUser: string | null
  callerId: string
  /** The gateway that FreeSWITCH matched, and the request-URI parameters that may hold our secret (4.3). */
  gateway: { id: string; parameters: string } | null
  /** User name of a digest that FreeSWITCH has verified. */
  username: string | null
  sourceIp: string | null
  answered: boolean
  /** When it began to ring. */
  ringingAt: Date | null
  /** Within how many parts of a leg's TwiML, within its Dial, it looks for the next. */
  depth: number
  outcome: Returning['outcome']
}

/** Reads the fields of a request. What is not ours to answer is `other`; a problem is a field without which we cannot. */
export function readFetch(form: Form): XmlFetch | { problem: string } {
  switch (form.get('section')) {
    case 'configuration':
      return form.get('key_value') === 'sofia.conf' ? readSofia(form) : { kind: 'other' }
    case 'directory':
      return form.get('action') === 'sip_auth' ? readDigest(form) : { kind: 'other' }
    case 'dialplan':
      return readDialplan(form)
    case undefined:
      return { problem: 'The field "section" is missing.' }
    default:
      return { kind: 'other' }
  }
}

function readSofia(form: Form): SofiaFetch {
  const addresses = [form.get('FreeSWITCH-IPv4'), form.get('FreeSWITCH-IPv6'), form.get('hostname')]
  return {
    kind: 'sofia',
    switchName: form.get('hostname') ?? '',
    switchAddresses: addresses.filter((address) => address !== undefined),
    profile: form.get('profile') ?? null,
    gateway: form.get('gateway') ?? null,
  }
}

function readDigest(form: Form): DigestFetch | { problem: string } {
  const username = form.get('sip_auth_username') ?? form.get('user')
  const domain = form.get('domain') ?? form.get('key_value')
  if (!username || !domain) return { problem: 'The fields "user" and "domain" are missing.' }
  return { kind: 'digest', username, domain, realm: form.get('sip_auth_realm') ?? domain }
}

function readDialplan(form: Form): XmlFetch | { problem: string } {
  const context = form.get('Hunt-Context') ?? form.get('Caller-Context')
  if (context !== 'inbound' && context !== 'twiml') return { kind: 'other' }
  const channelUuid = form.get('Unique-ID')
  if (channelUuid === undefined || !isUuid(channelUuid))
    return { problem: 'The field "Unique-ID" is not a UUID.' }
  return {
    kind: 'dialplan',
    context,
    switchName: form.get('hostname') ?? '',
    channelUuid,
    destination: form.get('Hunt-Destination-Number') ?? form.get('Caller-Destination-Number') ?? '',
    toUser: form.get('variable_sip_to_user') ?? null,
    callerId: form.get('Hunt-Caller-ID-Number') ?? form.get('Caller-Caller-ID-Number') ?? '',
    gateway: readGateway(form),
    username: readUsername(form),
    sourceIp: form.get('variable_sip_network_ip') ?? form.get('Hunt-Network-Addr') ?? null,
    answered: isAnswered(form),
    ringingAt:
      readTime(form, 'Hunt-Channel-Progress-Time') ?? readTime(form, 'Hunt-Channel-Progress-Media-Time'),
    depth: placeIn(form.get('variable_twiml_at') ?? null).depth,
    outcome: readOutcome((name) => form.get(`variable_${name}`) ?? null),
  }
}

function readGateway(form: Form): DialplanFetch['gateway'] {
  const id = form.get('variable_sip_gateway')
  if (id === undefined || !isUuid(id)) return null
  return { id, parameters: form.get('variable_sip_req_params') ?? '' }
}

// An address list of FreeSWITCH's own would also set sip_authorized, without any digest: we use none.
function readUsername(form: Form): string | null {
  const proven = form.get('variable_sip_authorized') === 'true' && !form.has('variable_sip_acl_authed_by')
  return proven ? (form.get('variable_sip_auth_username') ?? null) : null
}

function isAnswered(form: Form): boolean {
  const time = form.get('Hunt-Channel-Answered-Time') ?? form.get('Caller-Channel-Answered-Time') ?? '0'
  return time !== '0' || form.get('Answer-State') === 'answered'
}

// Microseconds since 1970; 0 is never.
function readTime(form: Form, name: string): Date | null {
  const text = form.get(name) ?? ''
  return /^[1-9]\d{12,16}$/.test(text) ? new Date(Math.floor(Number(text) / 1000)) : null
}

/** Reads how the last verb ended from channel variables, as a fetch and a CDR have them; null: there is none. */
export function readOutcome(variable: (name: string) => string | null): Returning['outcome'] {
  const joinedUuid = variable('bridge_uuid')
  return {
    at: placeIn(variable('twiml_at')).at,
    digits: variable('digits'),
    finishedOnKey: variable('read_terminator_used'),
    terminator: variable('playback_terminator_used'),
    disposition: variable('originate_disposition'),
    joinedUuid: joinedUuid !== null && isUuid(joinedUuid) ? joinedUuid : null,
    causes: readCauses(variable('originate_causes') ?? ''),
  }
}

// `uuid;CAUSE`, or `ARRAY::` and several of them with `|:` between.
function readCauses(text: string): Returning['outcome']['causes'] {
  const pairs = text.replace(/^ARRAY::/, '').split('|:')
  return new Map(
    pairs.flatMap((pair): [string, string][] => {
      const [, channel = '', cause = ''] = /^([0-9a-f-]{36});([A-Z_]{1,40})$/.exec(pair) ?? []
      return isUuid(channel) ? [[channel, cause]] : []
    }),
  )
}
