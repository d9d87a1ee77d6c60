import type { authenticationModes } from '../db/schema.ts'

/** How a trunk proves who it is (specification, "Authentication Modes"). */
export type AuthenticationMode = (typeof authenticationModes)[number]

/** A connection to an ITSP or PBX (specification, "Attributes"). */
export type Trunk = {
  id: string
  seq: number
  carrierId: string
  name: string
  authenticationMode: AuthenticationMode
  /** Alias of the region whose switches run it. */
  region: string
  /** Calls at once in both directions; null is no limit. */
  maxChannels: number | null
  /** Digits. */
  defaultSender: string | null
  /** ISO 3166-1 alpha-2. */
  inboundCountry: string | null
  /** Addresses and CIDR networks, as PostgreSQL writes them, in the order they were given. */
  sourceIps: string[]
  outboundHost: string | null
  outboundProxy: string | null
  authUser: string | null
  outboundDialStringPrefix: string | null
  outboundNationalDialing: boolean
  outboundPlusPrefix: boolean
  /** Digits; none makes it a trunk for every destination. */
  outboundRoutePrefixes: string[]
  username: string | null
  passwordEncrypted: Uint8Array | null
  /** Counts the changes of what FreeSWITCH runs for it. */
  version: number
  createdAt: Date
  updatedAt: Date
}

/** What a carrier decides about a trunk: the password in clear, nothing that we keep count of. */
export type TrunkSettings = Omit<
  Trunk,
  'id' | 'seq' | 'carrierId' | 'passwordEncrypted' | 'version' | 'createdAt' | 'updatedAt'
> & { password: string | null }
