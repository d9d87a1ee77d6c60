import { isIP } from 'node:net'
import type { Env } from '../env.ts'
import type { Host } from '../sip-uri.ts'
import { guardFor } from '../webhooks/guard.ts'

/** Why a customer's SIP URI may not be called at a host, as a sentence, or null when it may: like a webhook it must not lead
 * into the network that the switch stands in, nor to a switch or the switch listener, which trust whoever reaches them,
 * unless WEBHOOK_ALLOW_PRIVATE says so. Names of the public DNS pass: the switch resolves them itself, by NAPTR and SRV,
 * when it calls. */
export function refusedSipHost(
  env: Pick<Env, 'WEBHOOK_ALLOW_PRIVATE' | 'SWITCH_URL' | 'regions'>,
  host: Host,
): string | null {
  if (env.WEBHOOK_ALLOW_PRIVATE) return null
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const open = isIP(name) === 0 ? isPublicName(name) : guardFor(env).allows(name)
  if (!open) return `The host ${name} is not a public one.`
  const own = [new URL(env.SWITCH_URL).hostname, ...env.regions.flatMap(switchHosts)]
  return own.map(oneSpelling).includes(oneSpelling(name)) ? `The host ${name} is one of our own.` : null
}

const switchHosts = ({ switches }: Env['regions'][number]) => switches.map(({ host }) => host)

// An IPv6 address can be written in many ways.
function oneSpelling(host: string): string {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  return isIP(bare) === 6 ? new URL(`http://[${bare}]`).hostname.slice(1, -1) : bare
}

// One label is a name of the own network. A name that ends in a number is an address in another spelling (WHATWG URL,
// "ends in a number"), as the switch's resolver would read it.
function isPublicName(name: string): boolean {
  const labels = name.toLowerCase().split('.')
  const last = labels.at(-1) ?? ''
  return labels.length > 1 && !reserved.has(last) && !/^(\d+|0x[0-9a-f]*)$/.test(last)
}

// What names inside a network end in: RFC 6761, RFC 6762, RFC 8375 (home.arpa), ICANN's .internal, those that ICANN never
// delegates since networks use them (home, corp, mail), and custom. A nameserver of the network answers them, some
// (kubernetes.default.svc) by the search list of the switch.
const reserved = new Set(
  (
    'localhost localdomain localdomain4 localdomain6 local internal arpa lan intranet ' +
    'home corp mail private svc'
  ).split(' '),
)
