import { isIP } from 'node:net'
import type { Registered } from './event.ts'

/** What a switch says of one of its gateways; `retrySeconds` until it tries again, null when it will not by itself. */
export type GatewayStatus = { state: string; up: boolean; retrySeconds: number | null }

/** Reads `sofia xmlstatus gateway NAME`; null when there is no such gateway, or it is being deleted. */
export function readGatewayStatus(xml: string): GatewayStatus | null {
  const fields = new Map(fieldLines(xml))
  const state = fields.get('state')
  if (state === undefined) return null
  const retry = /^(\d{1,9})s$/.exec(fields.get('retry') ?? '')
  return { state, up: fields.get('status') === 'UP', retrySeconds: retry ? Number(retry[1]) : null }
}

/** What a switch says of a registered contact. */
export type RegistrationStatus = Omit<Registered, 'kind'>

/** Reads `sofia xmlstatus profile NAME reg`; undefined when that is no such list. */
export function readRegistrations(xml: string): RegistrationStatus[] | undefined {
  if (!xml.includes('<profile>')) return undefined
  const records = xml.split(/^ *<registration>$/m).slice(1)
  return records.flatMap((record) => readRegistration(new Map(fieldLines(record))) ?? [])
}

// FreeSWITCH keeps a registration for a minute longer than the client was told (sip-expires-late-margin).
const lateMarginSeconds = 60

function readRegistration(fields: ReadonlyMap<string, string>): RegistrationStatus | null {
  const registrationId = fields.get('call-id')
  const username = fields.get('user')?.replace(/@.*$/, '')
  if (!registrationId || !username) return null
  const networkIp = fields.get('network-ip') ?? ''
  const kept = Number(/expsecs\((\d{1,9})\)/.exec(fields.get('status') ?? '')?.[1] ?? 0)
  return {
    registrationId,
    username,
    contact: unescapeXml(fields.get('contact') ?? ''),
    userAgent: unescapeXml(fields.get('agent') ?? '') || null,
    networkIp: isIP(networkIp) === 0 ? null : networkIp,
    networkPort: Number(fields.get('network-port')) || null,
    expiresSeconds: Math.max(0, kept - lateMarginSeconds),
    mark: fields.get('mwi-account') ?? null,
  }
}

// Line by line, since FreeSWITCH writes a Call-ID as the client sent it: no line break can be in it, but tags can.
function fieldLines(xml: string): [string, string][] {
  const lines = xml.matchAll(/^ *<([a-z-]+)>(.*)<\/\1>$/gm)
  return [...lines].map(([, name = '', value = '']) => [name, value])
}

const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"' }

const unescapeXml = (text: string): string =>
  text.replace(/&(?:amp|lt|gt|quot);/g, (found) => entities[found] ?? found)

/** The channels on a switch by their UUIDs; of each, whether it came to the switch and is answered. */
export type LiveChannels = ReadonlyMap<string, { answeredInbound: boolean }>

/** Reads `show channels as json`; undefined when that is no such list. */
export function readChannels(json: string): LiveChannels | undefined {
  const list = parse(json)
  if (!isObject(list) || !('row_count' in list)) return undefined
  const rows: unknown = 'rows' in list ? list.rows : []
  if (!Array.isArray(rows)) return undefined
  return new Map(
    rows.flatMap((row: unknown) =>
      isObject(row) && 'uuid' in row ? [[String(row.uuid), { answeredInbound: isAnsweredInbound(row) }]] : [],
    ),
  )
}

const isAnsweredInbound = (row: object): boolean =>
  'direction' in row &&
  row.direction === 'inbound' &&
  'callstate' in row &&
  ['ACTIVE', 'HELD', 'UNHELD'].includes(String(row.callstate))

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}
