import type { accountStatuses } from '../db/schema.ts'

/** A tenant: runs trunks and numbers, and has accounts as customers. */
export type Carrier = {
  id: string
  seq: number
  name: string
  /** ISO 3166-1 alpha-2. */
  countryCode: string
  /** ISO 4217. */
  billingCurrency: string
  createdAt: Date
  updatedAt: Date
}

/** A business, customer of a carrier. */
export type Account = {
  id: string
  seq: number
  carrierId: string
  name: string
  status: (typeof accountStatuses)[number]
  metadata: Record<string, unknown>
  /** The trunk that all of its outbound calls take, or null when it shares the carrier's. */
  sipTrunkId: string | null
  billingEnabled: boolean
  /** Whether a call that fails before ringing is tried on the next trunk. */
  failover: boolean
  authTokenEncrypted: Uint8Array
  createdAt: Date
  updatedAt: Date
}

/** Twilio's prefixes of identifiers (contract section 3). */
export type SidPrefix = 'AC' | 'CA' | 'PN' | 'RE'

/** A UUID in Twilio's form: the prefix and its 32 hex digits. */
export const toSid = (prefix: SidPrefix, id: string): string => `${prefix}${id.replaceAll('-', '')}`

/** The UUID that a text means, in Twilio's form or as it is (contract section 3), or null. */
export function fromSid(prefix: SidPrefix, text: string): string | null {
  const hex = text.startsWith(prefix) ? text.slice(prefix.length) : text.replaceAll('-', '')
  if (!/^[0-9a-f]{32}$/i.test(hex)) return null
  if (!text.startsWith(prefix) && !uuid.test(text)) return null
  return hex.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
