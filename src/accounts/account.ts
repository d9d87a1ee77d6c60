import type { accountStatuses } from '../db/schema.ts'

export { fromSid, type SidPrefix, toSid } from '../sid.ts'

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
