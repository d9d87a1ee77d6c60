import { gatewayEndpoint, hostEndpoint } from '../dialplan-action.ts'
import { meaningOf, nationalFormat, stored } from '../numbers/e164.ts'
import { toDialledNumber, toHost } from '../sip-uri.ts'
import type { Trunk } from './trunk.ts'

type Dialling = Pick<Trunk, 'outboundDialStringPrefix' | 'outboundNationalDialing' | 'outboundPlusPrefix'>

/** The number as a trunk dials it (contract section 7): `+` if it wants one, then its prefix, then the number, in
 * national format if it wants that. Never two `+`; a short code stays as it is apart from the prefix. */
export function numberPart(trunk: Dialling, destination: string): string {
  const meaning = meaningOf(destination, null)
  const national = trunk.outboundNationalDialing && meaning.kind === 'e164'
  const digits = national ? nationalFormat(meaning.number) : stored(destination)
  const prefix = trunk.outboundDialStringPrefix ?? ''
  const plus = trunk.outboundPlusPrefix && meaning.kind === 'e164' ? '+' : ''
  return `${plus}${prefix}${digits}`.replace(/^\++/, '+')
}

/** A caller id as a trunk shows numbers: national, or with its plus (somleng.md 4.4). Null for what is no number, which
 * passes untouched (contract section 7). */
export function shownNumber(trunk: Dialling, callerId: string): string | null {
  const meaning = meaningOf(callerId, null)
  if (meaning.kind === 'other') return null
  if (trunk.outboundNationalDialing) return nationalFormat(meaning.number)
  return `${trunk.outboundPlusPrefix ? '+' : ''}${stored(meaning.number)}`
}

/** What FreeSWITCH dials to reach a number through a trunk (specification, "Outbound Dial String Construction"): its
 * gateway, its host, or the contact that its client registered (null: not registered). Null when there is no such way. */
export function endpoint(
  trunk: Dialling & Pick<Trunk, 'id' | 'authenticationMode' | 'outboundHost' | 'outboundProxy'>,
  destination: string,
  contact: string | null,
): string | null {
  const number = toDialledNumber(numberPart(trunk, destination))
  if (number === null) return null
  if (trunk.authenticationMode === 'outbound_registration') return gatewayEndpoint(trunk.id, number)
  const [, hostText = '', tcp] = /^(.*?)(;transport=tcp)?$/.exec(trunk.outboundHost ?? contact ?? '') ?? []
  const host = toHost(hostText)
  const proxy = trunk.outboundProxy === null ? null : toHost(trunk.outboundProxy)
  return host === null ? null : hostEndpoint(number, { host, tcp: tcp !== undefined }, proxy)
}
