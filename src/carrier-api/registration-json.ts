import type { ClientRegistration, GatewayRegistration, Registration } from '../switches/registration.ts'

/** `meta.registration` of a trunk: what the switches say of it (contract section 5). */
export const registrationMeta = (registration: Registration): Record<string, unknown> =>
  registration.kind === 'gateway' ? gatewayMeta(registration) : clientMeta(registration)

const gatewayMeta = (registration: GatewayRegistration) => ({
  state: registration.state.replace(' ', '_'),
  sip_code: registration.sipCode,
  reason: registration.reason,
  since: time(registration.since),
  next_retry_at: time(registration.nextTryAt),
  expires_at: time(registration.expiresAt),
  running_version: registration.runningVersion,
  saved_version: registration.savedVersion,
})

const clientMeta = ({ state, contacts }: ClientRegistration) => ({
  state,
  contacts: contacts.map(({ contact, userAgent, networkIp, networkPort, since, expiresAt }) => ({
    contact,
    user_agent: userAgent,
    network_ip: networkIp,
    network_port: networkPort,
    since: time(since),
    expires_at: time(expiresAt),
  })),
})

const time = (at: Date | null): string | null => at?.toISOString() ?? null
