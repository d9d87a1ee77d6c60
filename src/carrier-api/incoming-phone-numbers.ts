import { eq, sql } from 'drizzle-orm'
import * as v from 'valibot'
import { incomingPhoneNumbers as table } from '../db/schema.ts'
import { filter, from, ids, oneOf, until } from '../json-api/filter.ts'
import { bySeq, byText, byTime } from '../json-api/page.ts'
import { defineResource } from '../json-api/resource.ts'
import { described, line, preset, readBy, time, timestamps, webUrl } from '../json-api/schemas.ts'
import { assignPhoneNumber, changeAssignment, releasePhoneNumber } from '../numbers/assign.ts'
import { shown } from '../numbers/e164.ts'
import type { IncomingPhoneNumber } from '../numbers/phone-number.ts'
import { selectIncomingPhoneNumbers } from '../numbers/queries.ts'
import { toSid } from '../sid.ts'
import { toHost } from '../sip-uri.ts'
import type { CarrierScope } from './authenticate.ts'
import { numberFilter } from './number.ts'

const method = preset(v.picklist(['GET', 'POST']), 'POST')
const domain = readBy((text) => {
  const value = toHost(text)
  return value === null ? { problem: 'must be host or host:port' } : { value: String(value) }
})

const entries = {
  voice_url: described(
    v.nullable(webUrl),
    'Asked for TwiML when the number is called; wins over sip_domain.',
  ),
  voice_method: described(method, 'Method of that request.'),
  voice_fallback_url: described(v.nullable(webUrl), 'Asked when voice_url gives nothing usable.'),
  voice_fallback_method: described(method, 'Method of that request.'),
  status_callback_url: described(v.nullable(webUrl), 'Told when a call to the number is over.'),
  status_callback_method: described(method, 'Method of that request.'),
  sip_domain: described(
    v.nullable(domain),
    'Calls are passed on to the number at this `host` or `host:port`.',
  ),
  friendly_name: described(v.nullable(line(64)), 'A name for people.'),
}

const answered = {
  number: described(v.string(), 'E.164 with its plus, or a short code.'),
  status: described(v.picklist(['active', 'released']), 'A released number is kept as history.'),
  sid: described(v.string(), 'The id in the form of the Twilio API.'),
  released_at: described(v.nullable(time), 'When it was released.'),
  ...timestamps,
}

/** `incoming_phone_numbers` (contract section 5): numbers assigned to accounts. */
export const incomingPhoneNumbers = () =>
  defineResource({
    type: 'incoming_phone_number',
    path: 'incoming_phone_numbers',
    description: 'A number assigned to an account, and what happens when it is called. Deleting releases it.',
    entries,
    fieldNames: {},
    required: [],
    answered,
    secrets: [],
    example: {
      create: { voice_url: 'https://app.example.com/voice', friendly_name: 'Front desk' },
      update: { voice_url: null, sip_domain: 'pbx.example.com:5060' },
      links: {
        account: '7d0a4c0e-3a53-4c7e-8a0e-5f6f1f0b9d21',
        phone_number: 'b7c9f0d2-1f5a-4b6e-9d6c-2c4f8e7a6b32',
      },
    },
    removal: 'released',
    toAttributes,
    relationships: {
      account: {
        type: 'account',
        id: ({ accountId }) => accountId,
        writable: 'create',
        required: true,
        description: 'The account that has the number.',
      },
      phone_number: {
        type: 'phone_number',
        id: ({ phoneNumberId }) => phoneNumberId,
        writable: 'create',
        required: true,
        description: 'The number of the inventory.',
      },
    },
    table,
    own: ({ carrier }: CarrierScope) => eq(table.carrierId, carrier.id),
    select: ({ db, carrier }, page) => selectIncomingPhoneNumbers(db, carrier.id, page),
    sort: {
      number: byText(sql`${table.number}`, ({ number }: IncomingPhoneNumber) => number),
      created_at: bySeq(sql`${table.seq}`),
      updated_at: byTime(sql`${table.updatedAt}`, ({ updatedAt }: IncomingPhoneNumber) => updatedAt),
    },
    filters: {
      number: numberFilter(table.number),
      status: oneOf(table.status, ['active', 'released']),
      account: ids(table.accountId),
      phone_number: ids(table.phoneNumberId),
      sip_domain: filter('Exactly this domain.', v.string(), (text) => sql`${table.sipDomain} = ${text}`),
      from_date: from(table.createdAt),
      to_date: until(table.createdAt),
    },
    create: ({ db, carrier }, { values, links, issues }) => {
      const ends = { accountId: links.account ?? null, phoneNumberId: links.phone_number ?? null }
      return assignPhoneNumber(db, carrier.id, ends, values, issues)
    },
    update: ({ db }, incoming, { values, issues }) => changeAssignment(db, incoming, values, issues),
    remove: ({ db }, incoming) => releasePhoneNumber(db, incoming),
    toMeta: async (_, rows) =>
      new Map(rows.filter(leadsNowhere).map(({ id }) => [id, { warnings: [nowhere] }])),
  })

const toAttributes = (incoming: IncomingPhoneNumber) => ({
  voice_url: incoming.voiceUrl,
  voice_method: incoming.voiceMethod,
  voice_fallback_url: incoming.voiceFallbackUrl,
  voice_fallback_method: incoming.voiceFallbackMethod,
  status_callback_url: incoming.statusCallbackUrl,
  status_callback_method: incoming.statusCallbackMethod,
  sip_domain: incoming.sipDomain,
  friendly_name: incoming.friendlyName,
  number: shown(incoming.number),
  status: incoming.status,
  sid: toSid('PN', incoming.id),
  released_at: incoming.releasedAt?.toISOString() ?? null,
  created_at: incoming.createdAt.toISOString(),
  updated_at: incoming.updatedAt.toISOString(),
})

const leadsNowhere = ({ status, voiceUrl, sipDomain }: IncomingPhoneNumber) =>
  status === 'active' && voiceUrl === null && sipDomain === null
const nowhere = {
  code: 'unconfigured',
  title: 'calls are refused',
  detail: 'The number has neither a voice_url nor a sip_domain, so calls to it are refused with 404.',
}
