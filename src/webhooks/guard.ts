import { lookup as resolveName } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Env } from '../env.ts'

/** Which addresses customers may make us connect to, and how names are resolved to them. */
export type Guard = { allowPrivate: boolean; resolve: (host: string) => Promise<string[]> }

/** Only public addresses, unless WEBHOOK_ALLOW_PRIVATE says otherwise (contract section 2). */
export const guardFor = (env: Pick<Env, 'WEBHOOK_ALLOW_PRIVATE'>): Guard => ({
  allowPrivate: env.WEBHOOK_ALLOW_PRIVATE,
  resolve: resolveAll,
})

/** That a connection was not even tried: the address is not public. */
export class RefusedAddress extends Error {
  constructor(host: string) {
    super(`${host} is not a public address`)
  }
}

/** Whether an address is one of the public internet. IPv6 addresses that carry an IPv4 address (mapped, NAT64, 6to4,
 * Teredo) are none: where they lead is not theirs to say. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || parsed.match(ipaddr.parseCIDR('2000::/3'))
}

/** Whether a URL's host is an address that is refused; a name is looked at when it is resolved. */
export function isRefusedHost(guard: Guard, url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return isIP(host) !== 0 && !guard.allowPrivate && !isPublicAddress(host)
}

/** Resolves a name for a connection and hands over only what was checked, so that the connection goes to that very
 * address. One address that is not public refuses the name: no honest name has both. */
export function guardedLookup(guard: Guard): LookupFunction {
  return (host, options, callback) => {
    checkedAddresses(guard, host).then(
      (all) => {
        const [first] = all
        if (options.all) callback(null, all)
        else callback(null, first?.address ?? '', first?.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    )
  }
}

async function checkedAddresses(guard: Guard, host: string) {
  const addresses = await guard.resolve(host)
  if (addresses.length === 0 || (!guard.allowPrivate && !addresses.every(isPublicAddress)))
    throw new RefusedAddress(host)
  return addresses.map((address) => ({ address, family: isIP(address) }))
}

async function resolveAll(host: string): Promise<string[]> {
  const found = await resolveName(host, { all: true, verbatim: true })
  return found.map(({ address }) => address)
}
