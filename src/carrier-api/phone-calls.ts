import { eq, sql } from 'drizzle-orm'
import * as v from 'valibot'
import { shortDecimal } from '../calls/rate.ts'
import { type CallRecord, selectCallRecords, setPrice } from '../calls/record.ts'
import { callDirections, callStatuses, phoneCalls as table } from '../db/schema.ts'
import { done, refused } from '../errors.ts'
import { from, ids, oneOf, until } from '../json-api/filter.ts'
import { bySeq } from '../json-api/page.ts'
import { defineResource } from '../json-api/resource.ts'
import { anyObject, decimal, described, time, timestamps } from '../json-api/schemas.ts'
import { isObject } from '../metadata.ts'
import { toSid } from '../sid.ts'
import type { CarrierScope } from './authenticate.ts'
import { callNumberFilter, shownParty } from './number.ts'

const entries = {
  price: described(v.nullable(decimal(true)), 'What the call is charged; one that you set stays.'),
}

const answered = {
  from: described(v.string(), 'Caller.'),
  to: described(v.string(), 'Number called.'),
  direction: described(v.picklist(callDirections), 'Who began the call.'),
  status: described(v.picklist(callStatuses), "As Twilio's."),
  duration: described(v.nullable(v.number()), 'Answered seconds.'),
  price: described(
    v.nullable(v.string()),
    'What the call is charged, a decimal; null until the switch has told how it ended, for an hour at the most.',
  ),
  price_unit: described(v.nullable(v.string()), 'Currency of the price, ISO 4217.'),
  sip_response_code: described(v.nullable(v.number()), 'Final SIP status.'),
  hangup_cause: described(v.nullable(v.string()), "FreeSWITCH's cause."),
  route_steps: described(
    v.array(anyObject),
    'What was looked at when the call was routed, kept or dropped, and why.',
  ),
  started_at: described(v.nullable(time), 'When the call reached a switch.'),
  answered_at: described(v.nullable(time), 'When it was answered.'),
  ended_at: described(v.nullable(time), 'When it was over.'),
  sid: described(v.string(), 'The id in the form of the Twilio API.'),
  ...timestamps,
}

/** `phone_calls` (contract section 5): records; only the price can be changed. */
export const phoneCalls = () =>
  defineResource({
    type: 'phone_call',
    path: 'phone_calls',
    description: 'The record of a call.',
    entries,
    fieldNames: {},
    required: [],
    answered,
    secrets: [],
    example: { create: {}, update: { price: '0.05' } },
    toAttributes,
    relationships: {
      account: { type: 'account', id: ({ accountId }) => accountId, description: 'Whose call it is.' },
      sip_trunk: {
        type: 'sip_trunk',
        id: ({ sipTrunkId }) => sipTrunkId,
        description:
          'The trunk it took. A trunk that was deleted stays named here, and is not in `included`.',
      },
      incoming_phone_number: {
        type: 'incoming_phone_number',
        id: ({ incomingPhoneNumberId }) => incomingPhoneNumberId,
        description: 'The number that was called, or called from.',
      },
      parent_call: {
        type: 'phone_call',
        id: ({ parentCallId }) => parentCallId,
        description: 'The call that a leg belongs to.',
      },
    },
    table,
    own: ({ carrier }: CarrierScope) => eq(table.carrierId, carrier.id),
    select: ({ db, carrier }, page) => selectCallRecords(db, carrier.id, page),
    sort: { created_at: bySeq(sql`${table.seq}`) },
    filters: {
      account: ids(table.accountId),
      sip_trunk: ids(table.sipTrunkId),
      incoming_phone_number: ids(table.incomingPhoneNumberId),
      parent_call: ids(table.parentCallId),
      from: callNumberFilter(table.from),
      to: callNumberFilter(table.to),
      direction: oneOf(table.direction, callDirections),
      status: oneOf(table.status, callStatuses),
      from_date: from(table.createdAt),
      to_date: until(table.createdAt),
    },
    update: async ({ db, carrier }, call, { values, issues }) => {
      if (issues.length > 0) return refused('invalid', issues)
      const { price } = values
      if (price === undefined || price === call.price) return done(call)
      return done(await setPrice(db, carrier, call, price))
    },
  })

const toAttributes = (call: CallRecord) => ({
  from: shownParty(call.from),
  to: shownParty(call.to),
  direction: call.direction,
  status: call.status,
  duration: call.duration,
  price: call.price === null ? null : shortDecimal(call.price),
  price_unit: call.priceUnit,
  sip_response_code: call.sipResponseCode,
  hangup_cause: call.hangupCause,
  route_steps: call.routeSteps.map(shownStep),
  started_at: call.startedAt?.toISOString() ?? null,
  answered_at: call.answeredAt?.toISOString() ?? null,
  ended_at: call.endedAt?.toISOString() ?? null,
  sid: toSid('CA', call.id),
  created_at: call.createdAt.toISOString(),
  updated_at: call.updatedAt.toISOString(),
})

// A step names its carrier, for who may see it; that is no news to the carrier.
function shownStep(step: unknown): unknown {
  if (!isObject(step)) return step
  const { carrierId: _, ...shown } = step
  return shown
}
