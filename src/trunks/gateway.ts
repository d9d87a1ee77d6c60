import type { Keys } from '../secrets.ts'
import { contactSecret } from './contact-secret.ts'

/** What a gateway is made of; every field was checked when the trunk was saved (sip-uri.ts). */
export type RegisteringTrunk = {
  id: string
  username: string
  authUser: string | null
  outboundHost: string
  outboundProxy: string | null
  version: number
}

/** A FreeSWITCH gateway as plain data: the document of sofia.conf prints it (freeswitch.md 2.5). */
export type Gateway = {
  name: string
  params: [name: string, value: string][]
  variables: { name: string; value: string; direction: 'inbound' | 'outbound' | 'both' }[]
}

/** How long we ask a registrar to keep a registration; what it grants, FreeSWITCH does not tell. */
export const expireSeconds = 600

/** The gateway that registers an `outbound_registration` trunk at its `outbound_host`; `password` in plain text. */
export function toGateway(trunk: RegisteringTrunk, password: string, keys: Keys): Gateway {
  return {
    name: trunk.id,
    params: [
      ['username', trunk.username],
      ['auth-username', trunk.authUser ?? trunk.username],
      ['password', password],
      ...addressParams(trunk),
      ...registrationParams,
      ['context', 'inbound'],
      // The number that was called is then the request's user, or To where the registrar sends our Contact back (4.3).
      ['extension', 'auto'],
      // Who calls us must send this secret back, or `;gw=` would be anybody's claim (freeswitch.md 4.3).
      ['contact-params', `tok=${contactSecret(keys, trunk)}`],
    ],
    variables: [
      { name: 'trunk_version', value: String(trunk.version), direction: 'both' },
      // From names the registered user, so the caller's number travels in P-Asserted-Identity (RFC 3325).
      { name: 'sip_cid_type', value: 'pid', direction: 'outbound' },
    ],
  }
}

/** `host` of `host` or `host:port`; an IPv6 address keeps its brackets. */
export function withoutPort(host: string): string {
  return host.replace(/:\d+$/, '')
}

// The specification: outbound_host is the domain of From; outbound_proxy is where REGISTER and INVITE go instead.
function addressParams({ outboundHost, outboundProxy }: RegisteringTrunk): Gateway['params'] {
  const domain = withoutPort(outboundHost)
  const proxied: Gateway['params'] =
    outboundProxy === null
      ? []
      : [
          ['register-proxy', outboundProxy],
          ['outbound-proxy', outboundProxy],
        ]
  return [['realm', domain], ['from-domain', domain], ['proxy', outboundHost], ...proxied]
}

// Ten minutes bound how long a registrar that lost our contact sends no calls. An answer that does not come within 20 s
// counts as a failure that is retried every 30 s for ever; other failures wait 30 s longer each time. No OPTIONS: a
// registrar that ignores them would be taken for dead and its calls refused.
const registrationParams: Gateway['params'] = [
  ['register', 'true'],
  ['expire-seconds', String(expireSeconds)],
  ['retry-seconds', '30'],
  ['timeout-seconds', '20'],
  ['caller-id-in-from', 'false'],
]
