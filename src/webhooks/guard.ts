import { Resolver, lookup as resolveName } from 'node:dns/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Env } from '../env.ts'

/** Which addresses customers may make us connect to, how names are resolved to them, and the connections that are kept
 * to them: one that leads where another guard would not go is never used under that one. */
export type Guard = {
  allows: (address: string) => boolean
  resolve: (host: string) => Promise<string[]>
  agents: { http: HttpAgent; https: HttpsAgent }
}

/** A guard with connections of its own. */
export function newGuard(allows: Guard['allows'], resolve: Guard['resolve'] = resolveAll): Guard {
  const options = { keepAlive: true, keepAliveMsecs: 1000, timeout: 20_000, maxFreeSockets: 64 }
  return { allows, resolve, agents: { http: new HttpAgent(options), https: new HttpsAgent(options) } }
}

/** Only public addresses, unless WEBHOOK_ALLOW_PRIVATE says otherwise (contract section 2). */
export const guardFor = (env: Pick<Env, 'WEBHOOK_ALLOW_PRIVATE'>): Guard =>
  env.WEBHOOK_ALLOW_PRIVATE ? anywhere : publicOnly

/** That a connection was not even tried: the address is not public. */
export class RefusedAddress extends Error {
  constructor(host: string) {
    super(`${host} is not a public address`)
  }
}

/** Whether an address is one of the public internet. IPv6 addresses that carry an IPv4 address (mapped, NAT64, 6to4,
 * Teredo) are none: where they lead is not theirs to say. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || parsed.match(ipaddr.parseCIDR('2000::/3'))
}

/** Resolves names by asking the nameservers (those of the system unless given): getaddrinfo would run in two threads of
 * this process, which one customer's slow nameserver would hold for all. Names without a dot are the machine's own. */
export function askNameservers(servers?: readonly string[]): Guard['resolve'] {
  const resolver = new Resolver({ timeout: 1000, tries: 2 })
  if (servers !== undefined) resolver.setServers(servers)
  return async (host) => {
    if (!host.includes('.')) return resolveAll(host)
    const asked = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
    const found = asked.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    if (found.length > 0) return found
    const isUnknown = asked.every((answer) => answer.status === 'rejected' && absent.has(answer.reason.code))
    throw Object.assign(new Error(`${host} cannot be resolved`), {
      code: isUnknown ? 'ENOTFOUND' : 'EAI_AGAIN',
    })
  }
}

const absent = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME', 'ENONAME'])

const publicOnly = newGuard(isPublicAddress, askNameservers())
const anywhere = newGuard(() => true)

/** Whether a URL's host is an address that is refused; a name is looked at when it is resolved. */
export function isRefusedHost(guard: Guard, url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return isIP(host) !== 0 && !guard.allows(host)
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
  if (addresses.length === 0 || !addresses.every(guard.allows)) throw new RefusedAddress(host)
  return addresses.map((address) => ({ address, family: isIP(address) }))
}

async function resolveAll(host: string): Promise<string[]> {
  const found = await resolveName(host, { all: true, verbatim: true })
  return found.map(({ address }) => address)
}
