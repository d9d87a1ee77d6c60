import { sql } from 'drizzle-orm'
import * as v from 'valibot'
import type { Carrier } from '../accounts/account.ts'
import { insertCarrier, selectCarriers, updateCarrier } from '../accounts/queries.ts'
import { issueApiToken } from '../accounts/tokens.ts'
import { changesOf } from '../db/rows.ts'
import { carriers as table } from '../db/schema.ts'
import { done, refused } from '../errors.ts'
import { containing, equalTo, from, until } from '../json-api/filter.ts'
import { bySeq, byText, byTime } from '../json-api/page.ts'
import { defineResource, type Scope } from '../json-api/resource.ts'
import { described, line, timestamps } from '../json-api/schemas.ts'
import { countryCodes } from '../numbers/countries.ts'

const currencies = Intl.supportedValuesOf('currency')

const entries = {
  name: described(line(255), 'Name of the carrier.'),
  country_code: described(
    v.picklist(countryCodes, 'must be an ISO 3166-1 alpha-2 country code'),
    'ISO 3166-1 alpha-2.',
  ),
  billing_currency: described(v.picklist(currencies, 'must be an ISO 4217 currency code'), 'ISO 4217.'),
}

/** `carriers` (contract section 4). The answer to POST, and it alone, has the carrier's first API token. */
export const carriers = () =>
  defineResource({
    type: 'carrier',
    path: 'carriers',
    description: 'A tenant of this platform.',
    entries,
    fieldNames: {},
    required: ['name', 'country_code', 'billing_currency'],
    answered: {
      api_token: described(v.optional(v.string()), 'Token of the carrier API, in the answer to POST only.'),
      ...timestamps,
    },
    secrets: ['api_token'],
    example: {
      create: { name: 'Example Telecom', country_code: 'US', billing_currency: 'USD' },
      update: { name: 'Example Voice' },
    },
    once: ['api_token'],
    toAttributes: (carrier: Carrier & { apiToken?: string }) => ({
      name: carrier.name,
      country_code: carrier.countryCode,
      billing_currency: carrier.billingCurrency,
      ...(carrier.apiToken !== undefined && { api_token: carrier.apiToken }),
      created_at: carrier.createdAt.toISOString(),
      updated_at: carrier.updatedAt.toISOString(),
    }),
    relationships: {},
    table,
    own: (_: Scope) => undefined,
    select: ({ db }, page) => selectCarriers(db, page),
    sort: {
      name: byText(sql`${table.name}`, ({ name }: Carrier) => name),
      created_at: bySeq(sql`${table.seq}`),
      updated_at: byTime(sql`${table.updatedAt}`, ({ updatedAt }: Carrier) => updatedAt),
    },
    filters: {
      name: containing(table.name),
      country_code: equalTo(table.countryCode),
      from_date: from(table.createdAt),
      to_date: until(table.createdAt),
    },
    create: async ({ db }, { values, issues }) => {
      const { name, countryCode, billingCurrency } = values
      if (issues.length > 0 || !name || !countryCode || !billingCurrency) return refused('invalid', issues)
      const carrier = await insertCarrier(db, { name, countryCode, billingCurrency })
      const { token } = await issueApiToken(db, carrier.id)
      return done({ ...carrier, apiToken: token })
    },
    update: async ({ db }, carrier, { values, issues }) => {
      if (issues.length > 0) return refused('invalid', issues)
      const changes = changesOf<Carrier>(carrier, values)
      return done(changes === null ? carrier : await updateCarrier(db, carrier, changes))
    },
  })
