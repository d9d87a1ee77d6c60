import type { rateDirections } from '../db/schema.ts'

/** What a carrier charges for a minute of calls to numbers that begin with a prefix. */
export type Rate = {
  id: string
  seq: number
  carrierId: string
  direction: (typeof rateDirections)[number]
  /** Digits; the empty one is every number's. */
  prefix: string
  /** Decimal text, five places. */
  pricePerMinute: string
  createdAt: Date
  updatedAt: Date
}

/** A stored decimal without the zeros that say nothing: `0.05000` is `0.05`. */
export const shortDecimal = (decimal: string): string =>
  decimal.includes('.') ? decimal.replace(/\.?0+$/, '') : decimal
