import { isIP } from 'node:net'
import * as v from 'valibot'
import type { InboundExplanation } from '../inbound/explain.ts'
import type { Values } from '../json-api/attribute.ts'
import { anyObject, described, line, readBy } from '../json-api/schemas.ts'
import type { OutboundExplanation } from '../outbound/explain.ts'

const id = v.pipe(v.string(), v.uuid('must be an id'), v.toLowerCase())
const address = readBy((text) => {
  const value = text.replace(/^::ffff:(?=\d+\.)/i, '')
  return isIP(value) === 0 ? { problem: 'must be an IPv4 or IPv6 address' } : { value }
})

/** What a route test is asked with (contract section 5). */
export const routeTestEntries = {
  direction: described(v.picklist(['inbound', 'outbound']), 'Whether the call arrives or is placed.'),
  to: described(line(64), 'The number as it is dialled.'),
  from: described(line(64), 'The caller as the call shows it.'),
  account_id: described(id, 'Outbound: the account that places the call.'),
  gateway_id: described(
    id,
    'Inbound: the `outbound_registration` trunk whose gateway the call comes through.',
  ),
  username: described(line(64), 'Inbound: the `client_credentials` user name that the caller logs in with.'),
  source_ip: described(address, 'Inbound: the address that the call comes from.'),
}

/** What a route test answers. */
export const routeTestAnswered = {
  steps: described(v.array(anyObject), 'What was looked at, in order: kept or dropped, and why.'),
  trunk_id: described(v.nullable(v.string()), 'The trunk that the call takes.'),
  dial_string: described(v.nullable(v.string()), 'Outbound: what FreeSWITCH dials.'),
  route: described(v.nullable(anyObject), 'Inbound: where the call goes.'),
  refusal: described(
    v.nullable(anyObject),
    'Why the call goes nowhere: a SIP status, or the code of the Twilio API for an outbound call.',
  ),
}

/** What was found out of a call in either direction; what only the other has is null. */
export type RouteTested = InboundExplanation & OutboundExplanation

/** The attributes of a route test: what was asked, and what came of it. */
export function routeTestAttributes(
  asked: Values<typeof routeTestEntries>,
  { steps, trunkId, dialString, route, refusal }: RouteTested,
): Record<string, unknown> {
  return {
    direction: asked.direction,
    to: asked.to,
    from: asked.from ?? null,
    ...(asked.accountId !== undefined && { account_id: asked.accountId }),
    ...(asked.gatewayId !== undefined && { gateway_id: asked.gatewayId }),
    ...(asked.username !== undefined && { username: asked.username }),
    ...(asked.sourceIp !== undefined && { source_ip: asked.sourceIp }),
    steps: steps.map(({ carrierId: _, ...step }) => step),
    trunk_id: trunkId,
    dial_string: dialString,
    route: route && routeJson(route),
    refusal,
  }
}

function routeJson({ number, from, to }: NonNullable<RouteTested['route']>) {
  // voice_url wins when both are set (contract section 7).
  const target = number.voiceUrl === null ? { sip_domain: number.sipDomain } : { voice_url: number.voiceUrl }
  return { account_id: number.accountId, incoming_phone_number_id: number.id, to, from, ...target }
}
