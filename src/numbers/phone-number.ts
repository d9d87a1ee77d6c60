import type { phoneNumberTypes, visibilities } from '../db/schema.ts'

/** A number in a carrier's inventory. */
export type PhoneNumber = {
  id: string
  seq: number
  carrierId: string
  /** Digits: E.164 without its plus, or a short code. */
  number: string
  type: (typeof phoneNumberTypes)[number]
  /** ISO 3166-1 alpha-2. */
  country: string
  visibility: (typeof visibilities)[number]
  metadata: Record<string, unknown>
  createdAt: Date
  updatedAt: Date
}

/** A number assigned to an account, and what happens when it is called. A released one is kept as history. */
export type IncomingPhoneNumber = {
  id: string
  seq: number
  carrierId: string
  accountId: string
  phoneNumberId: string
  number: string
  status: 'active' | 'released'
  voiceUrl: string | null
  voiceMethod: 'GET' | 'POST'
  voiceFallbackUrl: string | null
  voiceFallbackMethod: 'GET' | 'POST'
  statusCallbackUrl: string | null
  statusCallbackMethod: 'GET' | 'POST'
  sipDomain: string | null
  friendlyName: string | null
  releasedAt: Date | null
  createdAt: Date
  updatedAt: Date
}
