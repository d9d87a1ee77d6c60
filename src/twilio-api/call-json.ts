import { toSid } from '../accounts/account.ts'
import type { AccountCall } from '../calls/account-queries.ts'
import { formatted } from '../numbers/e164.ts'
import { apiVersion, rfc2822 } from '../webhooks/params.ts'
import { pathOf } from './path.ts'

/** A call in Twilio's form (https://www.twilio.com/docs/voice/api/call-resource). */
export function callJson(call: AccountCall) {
  const { parentCallId, incomingPhoneNumberId, startedAt, endedAt } = call
  const path = pathOf(call.accountId, 'Calls', toSid('CA', call.id))
  return {
    sid: toSid('CA', call.id),
    account_sid: toSid('AC', call.accountId),
    parent_call_sid: parentCallId && toSid('CA', parentCallId),
    phone_number_sid: incomingPhoneNumberId && toSid('PN', incomingPhoneNumberId),
    from: call.from,
    from_formatted: formatted(call.from),
    to: call.to,
    to_formatted: formatted(call.to),
    direction: call.direction,
    status: call.status,
    date_created: rfc2822(call.createdAt),
    date_updated: rfc2822(call.updatedAt),
    start_time: startedAt && rfc2822(startedAt),
    end_time: endedAt && rfc2822(endedAt),
    duration: call.duration === null ? null : String(call.duration),
    price: toPrice(call.price),
    price_unit: call.priceUnit,
    queue_time: String(startedAt === null ? 0 : Math.max(0, startedAt.getTime() - call.createdAt.getTime())),
    ...{ annotation: null, answered_by: null, caller_name: null, forwarded_from: null, group_sid: null },
    trunk_sid: null,
    api_version: apiVersion,
    uri: `${path}.json`,
    subresource_uris: { recordings: `${path}/Recordings.json` },
  }
}

// What a call costs is negative at Twilio.
const toPrice = (price: string | null) => (price === null || Number(price) === 0 ? price : `-${price}`)
