import { advanceWithin } from '../calls/progress.ts'
import type { Db } from '../db/connect.ts'
import { insertLeg, type NewLeg } from './queries.ts'

/** Stores a leg of a Dial, with one of its trunk's channels, and tells its customer that it begins. False when it cannot
 * be rung: it is then stored as failed. */
export async function beginLeg(db: Db, leg: NewLeg): Promise<boolean> {
  // One statement for the most usual leg: it is part of a fetch.
  if (leg.callback === null && (await insertLeg(db, leg))) return true
  return db.transaction(async (tx) => {
    const placed = leg.callback !== null && (await insertLeg(tx, leg))
    const cause = leg.usable ? 'NORMAL_CIRCUIT_CONGESTION' : 'NO_ROUTE_DESTINATION'
    await advanceWithin(tx, { id: leg.id }, placed ? {} : { end: { at: new Date(), cause, sipStatus: 503 } })
    return placed
  })
}
