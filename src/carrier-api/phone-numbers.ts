import { eq, sql } from 'drizzle-orm'
import * as v from 'valibot'
import { phoneNumberTypes, phoneNumbers as table, visibilities } from '../db/schema.ts'
import { equalTo, filter, from, oneOf, until } from '../json-api/filter.ts'
import { bySeq, byText, byTime } from '../json-api/page.ts'
import { defineResource } from '../json-api/resource.ts'
import { described, metadata, preset, timestamps } from '../json-api/schemas.ts'
import { countryCodes } from '../numbers/countries.ts'
import { shown } from '../numbers/e164.ts'
import { addPhoneNumber, changePhoneNumber, removePhoneNumber } from '../numbers/inventory.ts'
import type { PhoneNumber } from '../numbers/phone-number.ts'
import { selectPhoneNumbers } from '../numbers/queries.ts'
import type { CarrierScope } from './authenticate.ts'
import { digits, numberFilter } from './number.ts'

const country = v.picklist(countryCodes, 'must be an ISO 3166-1 alpha-2 country code')

const entries = {
  number: described(digits, 'E.164 (`+14155551234`) or a short code (`1294`).'),
  type: described(v.picklist(phoneNumberTypes), 'Found out from the number if it is not given.'),
  country: described(country, 'ISO 3166-1 alpha-2. Found out from the number if it is not given.'),
  visibility: described(preset(v.picklist(visibilities), 'private'), 'A disabled number cannot be assigned.'),
  metadata: described(preset(metadata, {}), 'Your own data; a change replaces it.'),
}

/** `phone_numbers` (contract section 5): the inventory. */
export const phoneNumbers = () =>
  defineResource({
    type: 'phone_number',
    path: 'phone_numbers',
    description: 'A number in your inventory, to be assigned to an account.',
    entries,
    fieldNames: {},
    required: ['number'],
    answered: { number: described(v.string(), 'E.164 with its plus, or a short code.'), ...timestamps },
    secrets: [],
    example: {
      create: { number: '+14155551234', type: 'local', country: 'US', visibility: 'private' },
      update: { visibility: 'public', metadata: { block: 'sf' } },
    },
    toAttributes: (phoneNumber: PhoneNumber) => ({
      number: shown(phoneNumber.number),
      type: phoneNumber.type,
      country: phoneNumber.country,
      visibility: phoneNumber.visibility,
      metadata: phoneNumber.metadata,
      created_at: phoneNumber.createdAt.toISOString(),
      updated_at: phoneNumber.updatedAt.toISOString(),
    }),
    relationships: {},
    table,
    own: ({ carrier }: CarrierScope) => eq(table.carrierId, carrier.id),
    select: ({ db, carrier }, page) => selectPhoneNumbers(db, carrier.id, page),
    sort: {
      number: byText(sql`${table.number}`, ({ number }) => number),
      created_at: bySeq(sql`${table.seq}`),
      updated_at: byTime(sql`${table.updatedAt}`, ({ updatedAt }) => updatedAt),
    },
    filters: {
      number: numberFilter(table.number),
      type: oneOf(table.type, phoneNumberTypes),
      country: equalTo(table.country),
      visibility: oneOf(table.visibility, visibilities),
      assigned: filter(
        '`true`: numbers that an account has; `false`: those that are free.',
        v.pipe(v.string(), v.picklist(['true', 'false'], 'Expected true or false.')),
        (text) => sql`EXISTS (
          SELECT 1 FROM incoming_phone_numbers i
          WHERE i.phone_number_id = phone_numbers.id AND i.status = 'active') = ${text === 'true'}`,
      ),
      from_date: from(table.createdAt),
      to_date: until(table.createdAt),
    },
    create: ({ db, carrier }, { values, issues }) => addPhoneNumber(db, carrier, values, issues),
    update: ({ db }, phoneNumber, { values, issues }) => changePhoneNumber(db, phoneNumber, values, issues),
    remove: ({ db }, phoneNumber) => removePhoneNumber(db, phoneNumber),
  })
