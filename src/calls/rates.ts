import { and, eq } from 'drizzle-orm'
import type { Db } from '../db/connect.ts'
import { changesOf, type Page, written } from '../db/rows.ts'
import { rates } from '../db/schema.ts'
import { brokenConstraint } from '../db/violation.ts'
import { done, type Issue, issue, type Outcome, refused } from '../errors.ts'
import type { Rate } from './rate.ts'

/** What a carrier decides about a rate. */
export type RateSettings = Pick<Rate, 'direction' | 'prefix' | 'pricePerMinute'>

/** A page of a carrier's rates. */
export const selectRates = (db: Db, carrierId: string, page: Page): Promise<Rate[]> =>
  db
    .select()
    .from(rates)
    .where(and(eq(rates.carrierId, carrierId), page.where))
    .orderBy(...page.orderBy)
    .limit(page.limit)

/** Adds a rate to a carrier's table: one for each direction and prefix. */
export async function addRate(
  db: Db,
  carrierId: string,
  settings: Partial<RateSettings>,
  known: readonly Issue[],
): Promise<Outcome<Rate>> {
  const { direction, prefix, pricePerMinute } = settings
  if (known.length > 0 || direction === undefined || prefix === undefined || pricePerMinute === undefined)
    return refused('invalid', known)
  const row = { carrierId, direction, prefix, pricePerMinute }
  return settle(db, async (tx) => written(await tx.insert(rates).values(row).returning()))
}

/** Changes a rate, for calls that end from now on. */
export async function changeRate(
  db: Db,
  rate: Rate,
  settings: Partial<RateSettings>,
  known: readonly Issue[],
): Promise<Outcome<Rate>> {
  if (known.length > 0) return refused('invalid', known)
  const changes = changesOf(rate, settings)
  if (changes === null) return done(rate)
  return settle(db, async (tx) =>
    written(
      await tx
        .update(rates)
        .set({ ...changes, updatedAt: new Date() })
        .where(isRate(rate))
        .returning(),
    ),
  )
}

/** Deletes a rate. Calls keep their prices. */
export async function removeRate(db: Db, rate: Rate): Promise<Outcome<null>> {
  await db.delete(rates).where(isRate(rate))
  return done(null)
}

const isRate = ({ id, carrierId }: Rate) => and(eq(rates.id, id), eq(rates.carrierId, carrierId))

const taken = issue(
  ['prefix'],
  'taken',
  'already exists',
  'There is a rate for this direction and prefix already.',
)

// In a savepoint: the transaction goes on to word what broke the table's own rule.
async function settle(db: Db, write: (tx: Db) => Promise<Rate>): Promise<Outcome<Rate>> {
  try {
    return done(await db.transaction(write))
  } catch (error) {
    if (brokenConstraint(error) === 'rates_carrier_direction_prefix_key') return refused('invalid', [taken])
    throw error
  }
}
