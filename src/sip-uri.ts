import { isIPv4, isIPv6 } from 'node:net'

declare const brand: unique symbol
type Brand<Name> = { readonly [brand]: Name }

/** `host` or `host:port`, checked: safe in SIP URIs, gateway parameters and dial strings (freeswitch.md 2.5). */
export type Host = string & Brand<'Host'>
/** User part of a SIP URI, checked: letters, digits and `. _ + - * #`. */
export type SipUser = string & Brand<'SipUser'>
/** What may be dialled through a trunk: digits, `*`, `#`, one leading `+`; 32 characters at most. */
export type DialledNumber = string & Brand<'DialledNumber'>

/** A SIP URI taken apart, every part checked. `headers` are the `?X-Name=value` of TwiML's `<Sip>`. */
export type SipUri = {
  user: SipUser | null
  host: Host
  transport: 'udp' | 'tcp' | 'tls' | null
  headers: { name: string; value: string }[]
}

const label = /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)$/

/** The text as `host` or `host:port` (name, IPv4, bracketed IPv6), or null when it is none. */
export function toHost(text: string): Host | null {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?$/.exec(text)
  const [, host, port] = match ?? []
  if (host === undefined || text.length > 253) return null
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) return null
  return isHostName(host) ? (text as Host) : null
}

function isHostName(host: string): boolean {
  if (host.startsWith('[')) return isIPv6(host.slice(1, -1))
  if (/^[\d.]+$/.test(host)) return isIPv4(host)
  return host.split('.').every((part) => label.test(part))
}

/** The text as a SIP user part, or null when it has any other character. */
export function toSipUser(text: string): SipUser | null {
  return /^[A-Za-z0-9._+*#-]{1,64}$/.test(text) ? (text as SipUser) : null
}

/** The text as something that may be dialled, or null. */
export function toDialledNumber(text: string): DialledNumber | null {
  return /^\+?[0-9*#]{1,32}$/.test(text) ? (text as DialledNumber) : null
}

/** Whether a text is meant as a SIP URI, right or wrong, and not as a number; a scheme is the same in any case. */
export const isSipUri = (text: string): boolean => /^sips?:/i.test(text)

/** `sip:user@host:port;transport=x?X-Header=value` taken apart; `sip://` is accepted as well (contract section 7), and
 * parameters that change nothing about where a call goes are left out. `sips:`
 * means TLS over whatever it names (RFC 3261, 26.2.2): it never goes in the clear. Null when any part is not of the checked
 * form: it is refused, never escaped. */
export function toSipUri(text: string): SipUri | null {
  const match = /^sip(s?):(?:\/\/)?(?:([^@?;]*)@)?([^@?;]+)((?:;[^?]*)?)(?:\?(.*))?$/i.exec(text.trim())
  if (!match) return null
  const [, secure, userText, hostText = '', parameters = '', headerText = ''] = match
  const host = toHost(hostText)
  const user = userText === undefined ? null : toSipUser(decode(userText))
  const named = toTransport(parameters)
  const transport = secure && named !== 'unknown' ? 'tls' : named
  const headers = toHeaders(headerText)
  if (host === null || (userText !== undefined && user === null)) return null
  if (transport === 'unknown' || headers === null) return null
  return { user, host, transport, headers }
}

function toTransport(parameters: string): SipUri['transport'] | 'unknown' {
  const named = parameters
    .split(';')
    .slice(1)
    .filter((parameter) => !harmless.test(parameter))
  if (named.length === 0) return null
  const match = named.length === 1 ? /^transport=(udp|tcp|tls)$/i.exec(named[0] ?? '') : null
  return match ? (match[1]?.toLowerCase() as 'udp' | 'tcp' | 'tls') : 'unknown'
}

// RFC 3261 19.1.1: what kind of user it is, and loose routing; `edge` and `region` choose among Twilio's own networks.
const harmless = /^(user=(phone|ip)|lr|edge=[a-z0-9-]*|region=[a-z0-9-]*)?$/i

// Custom headers only as X-Name with plain values (freeswitch.md 6.5): anything else could set a channel variable.
function toHeaders(text: string): SipUri['headers'] | null {
  if (text === '') return []
  const headers = text.split('&').map((pair) => {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(pair) ?? []
    return { name: name ?? '', value: decode(value ?? '') }
  })
  const plain = headers.every(
    ({ name, value }) => /^X-[A-Za-z0-9-]{1,60}$/i.test(name) && headerValue.test(value),
  )
  return plain ? headers : null
}

// `:_:` anywhere in a dial string starts a second originate, `ARRAY::` at the start of a value makes it a list (6.4).
const headerValue = /^(?!ARRAY::)(?!.*:_:)[A-Za-z0-9 _.+@:/-]{0,255}$/

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return '\0' // no checked form has it, so the URI is refused
  }
}
