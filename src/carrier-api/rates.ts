import { eq, sql } from 'drizzle-orm'
import * as v from 'valibot'
import { type Rate, shortDecimal } from '../calls/rate.ts'
import { addRate, changeRate, removeRate, selectRates } from '../calls/rates.ts'
import { rateDirections, rates as table } from '../db/schema.ts'
import { equalTo, oneOf } from '../json-api/filter.ts'
import { bySeq, byText, byTime } from '../json-api/page.ts'
import { defineResource } from '../json-api/resource.ts'
import { decimal, described, timestamps } from '../json-api/schemas.ts'
import type { CarrierScope } from './authenticate.ts'

const entries = {
  direction: described(v.picklist(rateDirections), 'Which calls are charged.'),
  prefix: described(
    v.pipe(v.string(), v.regex(/^\d{0,15}$/, 'must be at most 15 digits')),
    'What called numbers begin with, without plus; the longest match wins. Empty: every number.',
  ),
  price_per_minute: described(decimal(false), 'Price of each minute begun, in your billing currency.'),
}

/** `rates` (contract section 5): what calls of accounts with `billing_enabled` are charged. */
export const rates = () =>
  defineResource({
    type: 'rate',
    path: 'rates',
    description: 'What a minute of calls to numbers with a prefix is charged.',
    entries,
    fieldNames: {},
    required: ['direction', 'prefix', 'price_per_minute'],
    answered: { price_per_minute: described(v.string(), 'A decimal.'), ...timestamps },
    secrets: [],
    example: {
      create: { direction: 'outbound', prefix: '1415', price_per_minute: '0.05' },
      update: { price_per_minute: '0.04' },
    },
    toAttributes: (rate: Rate) => ({
      direction: rate.direction,
      prefix: rate.prefix,
      price_per_minute: shortDecimal(rate.pricePerMinute),
      created_at: rate.createdAt.toISOString(),
      updated_at: rate.updatedAt.toISOString(),
    }),
    relationships: {},
    table,
    own: ({ carrier }: CarrierScope) => eq(table.carrierId, carrier.id),
    select: ({ db, carrier }, page) => selectRates(db, carrier.id, page),
    sort: {
      prefix: byText(sql`${table.prefix}`, ({ prefix }) => prefix),
      created_at: bySeq(sql`${table.seq}`),
      updated_at: byTime(sql`${table.updatedAt}`, ({ updatedAt }) => updatedAt),
    },
    filters: { direction: oneOf(table.direction, rateDirections), prefix: equalTo(table.prefix) },
    create: ({ db, carrier }, { values, issues }) => addRate(db, carrier.id, values, issues),
    update: ({ db }, rate, { values, issues }) => changeRate(db, rate, values, issues),
    remove: ({ db }, rate) => removeRate(db, rate),
  })
